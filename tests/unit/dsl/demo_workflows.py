"""The workflows of the demo, as they would be written in Python."""

from typing import Any

from engine.dsl import (
    Value,
    do_while,
    event,
    fork,
    fork_each,
    http,
    human,
    inline,
    jq,
    run,
    set_variables,
    switch,
    terminate,
    wait,
    workflow,
)
from tests.unit.dsl import demo_tasks as tasks
from tests.unit.dsl.demo_tasks import OWNER

Output = dict[str, object]


@workflow(version=1, owner_email=OWNER, timeout_seconds=300, timeout_policy="TIME_OUT_WF")
def account_setup(workspace: Value, name: Value, email: Value, plan: Value, document: Value) -> Output:
    """Opens the account and prepares the mailbox side by side, then writes the welcome letter."""
    with fork("set_up", join="is_set_up") as set_up:
        with set_up.branch():
            account = tasks.open_account("account", workspace=workspace, email=email, name=name, plan=plan)
        with set_up.branch():
            mailbox = tasks.prepare_mailbox("mailbox", workspace=workspace, email=email)
    welcome = tasks.write_welcome(
        "welcome",
        workspace=workspace,
        mailbox=mailbox.output.mailbox,
        email=email,
        name=name,
        iban=account.output.iban,
        plan=plan,
        document=document,
    )
    return {
        "account": account.output.number,
        "iban": account.output.iban,
        "mailbox": mailbox.output.mailbox,
        "letter": welcome.output.letter,
    }


@workflow(version=1, owner_email=OWNER, timeout_seconds=86_400, timeout_policy="TIME_OUT_WF")
def ci_cd_pipeline(workspace: Value, repository: Value, branch: Value, environment: Value, smoke: Value) -> Output:
    """Clones a repository, tests it twice, builds a wheel, waits for a person's approval, deploys and tries the release out."""  # noqa: E501
    checkout = tasks.clone_repository(
        "checkout", workspace=workspace, repository=repository, branch=branch, build=run.id
    )
    source, commit = checkout.output.source, checkout.output.commit
    with fork("test_matrix", join="tests_passed") as matrix:
        with matrix.branch():
            tests = tasks.run_tests("tests", workspace=workspace, source=source, options=[])
        with matrix.branch():
            tasks.run_tests(
                "strict_tests", workspace=workspace, source=source, options=["-X", "dev", "-W", "error"]
            ).options(description="The same tests with every warning an error.")
    package = tasks.build_package("package", workspace=workspace, source=source, build=run.id, commit=commit)
    approval = human(
        "approval",
        commit=commit,
        message=checkout.output.message,
        tests=tests.output.ran,
        version=package.output.version,
        sha256=package.output.sha256,
        environment=environment,
    ).options(
        name="approve_deployment",
        description='Somebody completes this task with {"approved": true or false, "by": who}.',
    )
    with switch("approved", "$.approved === true ? 'deploy' : 'reject'", approved=approval.output.approved) as approved:
        with approved.case("deploy"):
            deployment = tasks.deploy_package(
                "deployment",
                workspace=workspace,
                wheel=package.output.wheel,
                sha256=package.output.sha256,
                environment=environment,
            )
            tried = tasks.smoke_test(
                "smoke",
                workspace=workspace,
                environment=environment,
                module=smoke.module,
                arguments=smoke.arguments,
                expected=smoke.expected,
            )
        with approved.default():
            terminate(
                "rejected",
                "FAILED",
                reason=f"Deployment of {commit} was not approved by {approval.output.by}",
                output={"commit": commit, "approved_by": None, "release": None},
            ).options(name="reject_deployment")
    return {
        "commit": commit,
        "tests_ran": tests.output.ran,
        "wheel": package.output.wheel,
        "sha256": package.output.sha256,
        "approved_by": approval.output.by,
        "release": deployment.output.release,
        "smoke_test_printed": tried.output.printed,
    }


@workflow(version=1, owner_email=OWNER, timeout_seconds=300, timeout_policy="TIME_OUT_WF")
def identity_verification(site: Value, name: Value, mrz: Value) -> Output:
    """Checks a passport by its own digits, hands the case to a verification service and asks it every second until it has decided."""  # noqa: E501
    document = tasks.check_document("document", mrz=mrz, name=name)
    case = http(
        "case",
        f"{site}/verifications",
        "POST",
        body={"reference": run.id, "name": name, "document": document.output.number},
        connection_timeout_ms=3000,
        read_timeout_ms=5000,
    ).options(name="open_verification")
    with do_while("poll", "$.answer.response.body.status === 'pending' && $.poll.iteration < 30") as poll:
        poll.options(name="poll_verification")
        wait("pause", duration="1 second").options(name="pause_between_polls")
        answer = http("answer", case.output.response.body.url, connection_timeout_ms=3000, read_timeout_ms=5000)
        answer.options(name="ask_verification")
    body = answer.output.response.body
    verdict = inline(
        "verdict",
        "(function () { if ($.status !== 'decided') { return {decision: 'undecided'}; } "
        "return {decision: $.score >= 80 ? 'approved' : 'rejected', score: $.score}; })()",
        status=body.status,
        score=body.score,
    ).options(name="weigh_answer")
    return {
        "decision": verdict.output.result.decision,
        "score": verdict.output.result.score,
        "polls": poll.iteration,
        "document": document.output,
    }


@workflow(version=1, owner_email=OWNER, timeout_seconds=600, timeout_policy="TIME_OUT_WF")
def customer_onboarding(workspace: Value, site: Value, application: Value, plan: Value) -> Output:
    """Takes a customer in: shapes the application, verifies the identity, sets up the account and tells others about it."""  # noqa: E501
    profile = jq(
        "profile",
        '.application | {name: (.first_name + " " + .last_name), email: (.email | ascii_downcase), '
        'mrz: (.passport_line | gsub(" "; ""))}',
        application=application,
    ).options(name="shape_application")
    person = profile.output.result
    set_variables("stage_identity", stage="identity", email=person.email).options(name="note_stage_identity")
    identity = identity_verification("identity", site=site, name=person.name, mrz=person.mrz)
    decision = identity.output.decision
    with switch(
        "identity_decision", "$.decision === 'approved' ? 'accept' : 'turn_down'", decision=decision
    ) as decided:
        with decided.case("accept"):
            account = account_setup(
                "account",
                workspace=workspace,
                name=person.name,
                email=person.email,
                plan=plan,
                document=identity.output.document.number,
            )
            set_variables("stage_active", stage="active", account=account.output.account).options(
                name="note_stage_active"
            )
            announcement = event(
                "announcement",
                "conductor:customer_onboarded",
                event="customer.onboarded",
                account=account.output.account,
                email=run.variables.email,
            ).options(name="announce_customer")
        with decided.default():
            event(
                "refusal",
                "conductor:customer_refused",
                event="customer.refused",
                email=run.variables.email,
                decision=decision,
            ).options(name="announce_refusal")
            terminate(
                "refused",
                "FAILED",
                reason=f"The identity was not confirmed: {decision}",
                output={"decision": decision, "stage": "refused"},
            ).options(name="refuse_customer")
    return {
        "decision": decision,
        "polls": identity.output.polls,
        "stage": run.variables.stage,
        "account": account.output.account,
        "iban": account.output.iban,
        "letter": account.output.letter,
        "announced_on": announcement.output.event_produced,
    }


@workflow(version=1, owner_email=OWNER, timeout_seconds=300, timeout_policy="TIME_OUT_WF")
def migrate_customer(workspace: Value, source: Value, target: Value, customer_id: Value) -> Output:
    """Moves one customer: reads the old rows, converts them, writes the new ones and compares both."""
    old = tasks.extract_customer("extract", workspace=workspace, source=source, customer_id=customer_id).output
    new = tasks.convert_customer(
        "convert", workspace=workspace, target=target, customer=old.customer, purchases=old.purchases
    ).output
    tasks.write_customer("write", workspace=workspace, target=target, contact=new.contact, purchases=new.purchases)
    sums = tasks.compare_customer(
        "compare", workspace=workspace, source=source, target=target, customer_id=customer_id
    ).output
    return {"customer_id": customer_id, "sums": sums}


@workflow(version=1, owner_email=OWNER, timeout_seconds=900, timeout_policy="TIME_OUT_WF")
def data_migration(workspace: Value, source: Value, target: Value) -> Output:
    """Moves every customer of an old database into a new one, each in a sub-workflow, and reports who moved, who did not and why."""  # noqa: E501
    customers = tasks.list_customers("list", workspace=workspace, source=source, target=target).output.customers
    moves = fork_each("migrate_customers", migrate_customer, customers, join="migrated").options(
        optional=True,
        description="Optional: a customer that cannot be moved is reported and holds up nobody else.",
    )
    moves.join.options(name="customers_migrated")
    report = tasks.migration_report("report", workspace=workspace, source=source, target=target).output
    with switch("migration_balanced", outcome=report.outcome) as balanced, balanced.case("unbalanced"):
        terminate(
            "migration_unbalanced", "FAILED", reason="The databases do not agree after the migration", output=report
        )
    counted = ("outcome", "customers", "migrated", "not_migrated", "unlocked", "purchases", "balance_cents")
    return {name: report[name] for name in counted}


@workflow(version=1, owner_email=OWNER, timeout_seconds=600, timeout_policy="TIME_OUT_WF")
def etl_pipeline(
    workspace: Value,
    source: Value,
    batch: Value,
    database: Any = "warehouse.db",
    rows_per_chunk: Any = 250,
) -> Output:
    """Cuts a CSV file into chunks, cleans them in parallel, loads them into a warehouse and reconciles every row and cent."""  # noqa: E501
    split = tasks.split_csv("split", workspace=workspace, batch=batch, source=source, rows_per_chunk=rows_per_chunk)
    cleaned = fork_each("transform_chunks", tasks.transform_chunk, split.output.chunks, join="transformed")
    cleaned.join.options(name="chunks_transformed")
    load = tasks.load_rows("load", workspace=workspace, batch=batch, database=database, chunks=cleaned.output)
    reconciliation = tasks.reconcile_batch(
        "reconciliation", workspace=workspace, batch=batch, source=source, database=database, chunks=cleaned.output
    )
    with switch("batch_balanced", outcome=reconciliation.output.outcome) as balanced:
        with balanced.case("balanced"):
            report = tasks.publish_report("report", workspace=workspace, batch=batch, database=database)
        with balanced.default():
            reason = f"Batch {batch} does not balance"
            terminate("batch_unbalanced", "FAILED", reason=reason, output=reconciliation.output)
    return {
        "outcome": reconciliation.output.outcome,
        "rows": split.output.rows,
        "chunks": split.output.chunks.length(),
        "loaded": load.output.loaded,
        "rejected": load.output.rejected,
        "reasons": load.output.reasons,
        "amount_cents": reconciliation.output.amount_cents,
        "best_country": report.output.best_country,
        "report": report.output.report,
    }


@workflow(version=1, owner_email=OWNER, timeout_seconds=600, timeout_policy="TIME_OUT_WF")
def media_processing(workspace: Value, site: Value, image: Value, sizes: Value) -> Output:
    """Turns an uploaded image into three thumbnails and a manifest, delivers them and checks the delivery over HTTP."""
    checksum = tasks.checksum_file("checksum", workspace=workspace, path=image)
    metadata = tasks.read_image_metadata("metadata", workspace=workspace, path=image)
    made = {}
    with fork("make_thumbnails", join="thumbnails") as thumbnails:
        for label in ("small", "medium", "large"):
            with thumbnails.branch():
                made[label] = tasks.make_thumbnail(
                    f"thumbnail_{label}",
                    workspace=workspace,
                    path=image,
                    label=label,
                    edge=sizes[label],
                    folder=f"thumbnails/{run.id}",
                )
    thumbnails.join.options(name="thumbnails_made")
    delivery = tasks.deliver_media(
        "delivery",
        workspace=workspace,
        original=checksum.output,
        thumbnails=thumbnails.output,
        metadata=metadata.output,
        site=site,
    )
    manifest = http("manifest", delivery.output.manifest_url, connection_timeout_ms=3000, read_timeout_ms=5000)
    manifest.options(name="fetch_manifest", description="Reads the manifest as the public sees it.")
    files = manifest.output.response.body.files
    checks = jq("checks", '[.files[] | {uri: .url, method: "HEAD", accept: "*/*"}]', files=files)
    checks.options(name="list_checks", description="One HEAD request for each file that the manifest lists.")
    answers = fork_each("check_files", tasks.check_file, checks.output.result, kind="HTTP", join="answers")
    answers.join.options(name="files_checked")
    confirmation = tasks.confirm_delivery(
        "confirmation", manifest=manifest.output.response.body, answers=answers.output
    )
    return {
        "sha256": checksum.output.sha256,
        "image": metadata.output,
        "manifest_url": delivery.output.manifest_url,
        "files_confirmed": confirmation.output.confirmed,
        "thumbnails": {label: f"{each.output.width} x {each.output.height}" for label, each in made.items()},
    }


@workflow(version=1, owner_email=OWNER, timeout_seconds=600, timeout_policy="TIME_OUT_WF")
def order_compensation(
    workspace: Value,
    order_id: Value,
    workflowId: Value,  # noqa: N803 (what the engine calls it)
    reason: Value,
    failureStatus: Value,  # noqa: N803
    failureTaskId: Value,  # noqa: N803
) -> Output:
    """Undoes what a failed order left behind: closes it, then releases the stock and refunds the card side by side."""
    close = tasks.close_order("close", workspace=workspace, order_id=order_id, reason=reason)
    close.options(description="First, so that a task that runs late cannot take again what is given back.")
    with fork("undo", join="undone") as undo:
        with undo.branch():
            release = tasks.release_stock("release", workspace=workspace, order_id=order_id)
        with undo.branch():
            refund = tasks.refund_payment("refund", workspace=workspace, order_id=order_id)
    undo.options(name="undo_order").join.options(name="order_undone")
    return {
        "order_id": order_id,
        "failed_run": workflowId,
        "released": release.output.released,
        "refunded_cents": refund.output.refunded_cents,
        "reason": close.output.reason,
    }


@workflow(
    version=1,
    owner_email=OWNER,
    timeout_seconds=600,
    timeout_policy="TIME_OUT_WF",
    failure_workflow=order_compensation,
    masked_fields=["card"],
)
def order_fulfilment(
    workspace: Value, order_id: Value, lines: Value, card: Value, carrier: Value, address: Value
) -> Output:
    """Prices an order, holds the stock, charges the card and ships; a failure is undone by order_compensation."""
    order = {"workspace": workspace, "order_id": order_id}
    price = tasks.price_order("price", **order, lines=lines)
    stock = tasks.reserve_stock("stock", **order, lines=price.output.lines)
    payment = tasks.charge_card("payment", **order, amount_cents=price.output.total_cents, card=card)
    shipment = tasks.ship_order("shipment", **order, lines=price.output.lines, carrier=carrier, address=address)
    return {
        "order_id": order_id,
        "total_cents": price.output.total_cents,
        "held": stock.output.held,
        "authorization": payment.output.authorization,
        "paid_with": payment.output.card,
        "tracking_number": shipment.output.tracking_number,
        "packing_slip": shipment.output.packing_slip,
    }
