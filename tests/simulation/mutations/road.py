"""Mutations of the road: what is stored, published, acked and remembered, and in which order."""

from __future__ import annotations

from tests.simulation.mutations.mutation import Mutation, mutation

_EXECUTOR, _BATCH, _SAVING = "engine/executor.py", "engine/batch.py", "engine/saving.py"
_UNCONFIRMED = "engine/decider/unconfirmed.py"

ROAD: tuple[Mutation, ...] = (
    mutation(
        "ack before the commit",
        _EXECUTOR,
        "        self._carry_out(batch)\n        self._broker.ack(deliveries)\n",
        "        self._broker.ack(deliveries)\n        self._carry_out(batch)\n",
    ),
    mutation(
        "ack after the commit, before the confirm",
        _EXECUTOR,
        "        self._publish(self._outgoing(",
        "        self._broker.ack(self._taken)\n        self._publish(self._outgoing(",
        (
            _EXECUTOR,
            "        self._carry_out(batch)\n        self._broker",
            "        self._taken = deliveries\n        self._carry_out(batch)\n        self._broker",
        ),
    ),
    mutation(
        "confirms are not waited for: a line lost while publishing is no matter",
        _EXECUTOR,
        "            except Unsendable as error:\n                follow_up",
        "            except Transient:\n                pass\n"
        "            except Unsendable as error:\n                follow_up",
    ),
    mutation(
        "the version is not looked at when saving",
        "engine/testing/memory_store.py",
        "            if (stored.version_no if stored else None) != save.loaded_version:\n                continue\n",
        "            if stored is not None and save.loaded_version is None:\n                continue\n",
    ),
    mutation(
        "a save does not count the version up",
        _SAVING,
        "else loaded.version_no + 1,",
        "else loaded.version_no,",
    ),
    mutation(
        "a save that was refused counts as written",
        _EXECUTOR,
        "if each.save is None or each.group.workflow_id in written]",
        "if each.save is None or written is not None]",
    ),
    mutation(
        "a copy in memory stays after its save was refused",
        _EXECUTOR,
        "                self._residents.drop(each.group.workflow_id)\n                #",
        "                #",
    ),
    mutation(
        "a start that was refused because its run exists is begun again",
        _EXECUTOR,
        "each.group.start_exists = each.group.start is not None",
        "each.group.start_exists = False",
    ),
    mutation(
        "a start whose run exists is answered with what memory says",
        _EXECUTOR,
        "            group.start_exists = True\n            work.read_anew(group)\n",
        "            group.start_exists = True\n",
    ),
    mutation(
        "a start that comes again is not recognised: its commands are lost",
        _EXECUTOR,
        "        known = recall(resident.run.workflow.unconfirmed, start.event_id)\n",
        "        known = None\n",
    ),
    mutation(
        "a parent that asks again is not told that the child has ended",
        _BATCH,
        "if ended else (started,)",
        "if False else (started,)",
    ),
    mutation(
        "unconfirmed is not written",
        _SAVING,
        "unconfirmed=[*carried, *noted],",
        "unconfirmed=[],",
    ),
    mutation(
        "unconfirmed keeps the last batch only",
        _SAVING,
        "unconfirmed=[*carried, *noted],",
        "unconfirmed=noted,",
    ),
    mutation(
        "an event found in unconfirmed sends nothing again",
        _EXECUTOR,
        "                recalled += known\n",
        "                pass\n",
    ),
    mutation(
        "entries leave unconfirmed before the confirm",
        _EXECUTOR,
        "        self._publish(self._outgoing(",
        "        self._note_confirmed(finished)\n        self._publish(self._outgoing(",
    ),
    mutation(
        "news of a beginning that comes again is another beginning",
        "engine/decider/decide.py",
        "            if commands or event_id in self.outcomes or event_id in self.draft.counted:\n",
        "            if commands or event_id in self.outcomes:\n",
    ),
    mutation(
        "what the road has told itself is not recalled with the event",
        _UNCONFIRMED,
        "known == event_id or known.endswith(MADE_ON_THE_ROAD)",
        "known == event_id",
    ),
    mutation(
        "the parent's news is lost on the way through unconfirmed",
        _UNCONFIRMED,
        '            return TellParent(task_id, started=kind == "s", again=again)',
        "            return TellParent(task_id, started=True, again=again)",
    ),
    mutation(
        "a request that comes again is not looked up in the audit trail",
        _EXECUTOR,
        "            if line.request.event_id == event.event_id:",
        "            if line is None:",
    ),
    mutation(
        "requests are not written to the audit trail",
        _EXECUTOR,
        "        if lines:\n            transaction.log_requests(lines)\n",
        "",
    ),
    mutation(
        "a message that comes twice in one batch is applied twice",
        _BATCH,
        "        if event.event_id in group.seen:\n            return\n",
        "",
    ),
    mutation(
        "news that does not fit an old copy in memory is dropped",
        _EXECUTOR,
        "        if save is None and group.events and not work.is_read(group):",
        "        if save is None and group.events and work.is_read(group) is None:",
    ),
    mutation(
        "a decision is not folded into what derives from the rows",
        "engine/decider/draft.py",
        "        self.lists.fold()\n",
        "",
    ),
    mutation(
        "a message that nobody can read is dropped",
        _BATCH,
        "                batch.outgoing.append(bury(delivery, str(error), now))\n",
        "",
    ),
    mutation(
        "a refused start is told to nobody",
        _BATCH,
        "            failed = _failed_child(start.workflow_id, start.workflow_id, parent, str(error))\n"
        "            self.outgoing.append(encode_child_ended(failed, partitions))\n",
        "            pass\n",
    ),
    mutation(
        "what follows from messages that the broker refuses is dropped",
        _EXECUTOR,
        "                follow_up.add_unsendable(error.faults)",
        '                log.error("message.unsendable", reason=str(error))',
    ),
    mutation(
        "an event counts as confirmed before what follows from it is done",
        _EXECUTOR,
        "        if follow_up.groups:\n            # Until",
        "        self._note_confirmed(finished)\n        if follow_up.groups:\n            # Until",
    ),
    mutation(
        "an error in deciding one run is everybody's",
        _EXECUTOR,
        "        except Exception as error:\n            return self._give_up(resident, facts, now, error)\n",
        "        except ArithmeticError:\n            raise\n",
    ),
    mutation(
        "definitions read in a transaction that failed are kept",
        _EXECUTOR,
        "            self._outlook.forget()\n",
        "",
    ),
)
