"""The task definitions of the demo, as they would be written in Python."""

from functools import partial

from engine.dsl import Task

OWNER = "workflows@example.com"

#: A task as the demo wants it: tried again a second later, also when it has taken too long.
retried = partial(Task, owner_email=OWNER, retry_logic="FIXED", retry_delay_seconds=1, timeout_policy="RETRY")

ask_verification = retried(
    "ask_verification",
    description="Asks the verification service for its answer.",
    retry_count=3,
    timeout_seconds=30,
    response_timeout_seconds=20,
)
build_package = retried(
    "build_package",
    description="Builds a reproducible wheel.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
charge_card = retried(
    "charge_card",
    description="Charges a card once for each order.",
    retry_count=3,
    retry_logic="EXPONENTIAL_BACKOFF",
    timeout_seconds=60,
    response_timeout_seconds=30,
    max_retry_delay_seconds=8,
    backoff_jitter_ms=250,
)
check_document = retried(
    "check_document",
    description="Checks the machine-readable line of a passport.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
check_file = retried(
    "check_file",
    description="Asks the web server for size and checksum of one delivered file.",
    retry_count=3,
    timeout_seconds=30,
    response_timeout_seconds=20,
)
checksum_file = retried(
    "checksum_file",
    description="Computes the SHA-256 of a file.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
clone_repository = retried(
    "clone_repository",
    description="Clones one branch of a git repository.",
    retry_count=2,
    timeout_seconds=120,
    response_timeout_seconds=60,
)
close_order = retried(
    "close_order",
    description="Notes why an order was given up.",
    retry_count=10,
    retry_logic="EXPONENTIAL_BACKOFF",
    timeout_seconds=60,
    response_timeout_seconds=30,
    max_retry_delay_seconds=30,
)
compare_customer = retried(
    "compare_customer",
    description="Compares one customer in both databases.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
confirm_delivery = retried(
    "confirm_delivery",
    description="Compares the answers of the web server with the manifest.",
    retry_count=1,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
convert_customer = retried(
    "convert_customer",
    description="Brings one customer into the new form.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
deliver_media = retried(
    "deliver_media",
    description="Copies files into the public folder and writes their manifest.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
deploy_package = retried(
    "deploy_package",
    description="Unpacks the approved wheel and makes it the current release.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
extract_customer = retried(
    "extract_customer",
    description="Reads one customer; a locked row is tried again.",
    retry_count=5,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
fetch_manifest = retried(
    "fetch_manifest",
    description="Reads the delivered manifest over HTTP.",
    retry_count=3,
    timeout_seconds=30,
    response_timeout_seconds=20,
)
list_customers = retried(
    "list_customers",
    description="Prepares the new database and lists the customers of the old one.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
load_rows = retried(
    "load_rows",
    description="Loads the cleaned chunks into the warehouse.",
    retry_count=2,
    timeout_seconds=120,
    response_timeout_seconds=60,
)
make_thumbnail = retried(
    "make_thumbnail",
    description="Scales an image down to a JPEG without EXIF.",
    retry_count=2,
    timeout_seconds=120,
    response_timeout_seconds=60,
)
migration_report = retried(
    "migration_report",
    description="Counts both databases again.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
open_account = retried(
    "open_account",
    description="Opens one account for each e-mail address.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
open_verification = retried(
    "open_verification",
    description="Opens a case at the verification service.",
    retry_count=3,
    timeout_seconds=30,
    response_timeout_seconds=20,
)
prepare_mailbox = retried(
    "prepare_mailbox",
    description="Makes a Maildir.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
price_order = retried(
    "price_order",
    description="Looks up titles, prices and weights of an order's lines.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
publish_report = retried(
    "publish_report",
    description="Writes the sales by country.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
read_image_metadata = retried(
    "read_image_metadata",
    description="Reads size and EXIF of an image.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
reconcile_batch = retried(
    "reconcile_batch",
    description="Compares source, chunks and warehouse.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
refund_payment = retried(
    "refund_payment",
    description="Gives the money of a failed order back.",
    retry_count=10,
    retry_logic="EXPONENTIAL_BACKOFF",
    timeout_seconds=60,
    response_timeout_seconds=30,
    max_retry_delay_seconds=30,
)
release_stock = retried(
    "release_stock",
    description="Puts the goods of a failed order back on the shelves.",
    retry_count=10,
    retry_logic="EXPONENTIAL_BACKOFF",
    timeout_seconds=60,
    response_timeout_seconds=30,
    max_retry_delay_seconds=30,
)
reserve_stock = retried(
    "reserve_stock",
    description="Takes the goods of an order from the shelves, all or none.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
run_tests = retried(
    "run_tests",
    description="Runs a project's unittest suite.",
    retry_count=1,
    timeout_seconds=120,
    response_timeout_seconds=90,
)
ship_order = retried(
    "ship_order",
    description="Hands the goods to the carrier and writes the packing slip.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
smoke_test = retried(
    "smoke_test",
    description="Runs the deployed release as its users would.",
    retry_count=2,
    timeout_seconds=120,
    response_timeout_seconds=90,
)
split_csv = retried(
    "split_csv",
    description="Cuts a CSV file into chunks.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
transform_chunk = retried(
    "transform_chunk",
    description="Cleans the rows of one chunk.",
    retry_count=2,
    timeout_seconds=120,
    response_timeout_seconds=60,
)
write_customer = retried(
    "write_customer",
    description="Writes one customer into the new database.",
    retry_count=5,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
write_welcome = retried(
    "write_welcome",
    description="Puts the welcome letter into the mailbox.",
    retry_count=2,
    timeout_seconds=60,
    response_timeout_seconds=30,
)
