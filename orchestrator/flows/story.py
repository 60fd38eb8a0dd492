"""What an event of the ledger says to the reader of the flow run's log."""

from __future__ import annotations

from orchestrator import units
from orchestrator.ledger import Event
from orchestrator.recipes import parameter_texts
from planners.data import Candidate
from planners.space import Space


def line_of(event: Event, space: Space) -> str:
    """Return one line, or nothing for what the timeline shows anyway."""
    data, trial = event.data, event.trial
    match event.kind:
        case "candidate.proposed":
            texts = parameter_texts(Candidate(data["candidate"]), space)
            text = f"proposed: {', '.join(text for _, text in texts)}"
            if "suggestion" in data:
                text += f" (by {data['who']})"
        case "candidate.suggested":
            texts = parameter_texts(Candidate(data["candidate"]), space)
            note = f": {data['note']}" if data.get("note") else ""
            text = f"suggested by {data['who']} ({data['via']}){note}: "
            text += ", ".join(text for _, text in texts)
        case "suggestion.withdrawn":
            note = f": {data['note']}" if data.get("note") else ""
            text = f"suggestion {data['suggestion']} withdrawn by {data['who']}"
            text += f" ({data['via']}){note}"
        case "trial.started":
            text = f"started on {data['sample']}"
        case "step.failed":
            text = f"{data['step']} at {data['station']} failed: {data['reason']}"
            if "verdict" in data:
                text += f" ({data['verdict']})"
        case "step.done" if "reconciled" in data:
            text = f"{data['step']} is taken as done: {data['reconciled']}"
        case "step.repeated":
            text = f"{data['step']} is repeated: {data['reason']}"
        case "step.ran_on":
            text = f"{data['step']} lasted {data['seconds']:.0f} s in the end"
        case "measurement":
            value = units.show(data["value"], data["unit"], data["std"])
            doubts = "" if data["believed"] else " (not believed)"
            text = f"{data['quantity']}: {value}{doubts}"
        case "question.asked" | "alert":
            text = f"{event.kind}: {data['text']}"
        case "question.answered":
            text = f"{data['question']}: {data['answer']}, says {data['who']}"
        case "control":
            what = " ".join(one for one in (data["subject"], data.get("name")) if one)
            note = f": {data['note']}" if data.get("note") else ""
            text = f"{data['verb']} {what} by {data['who']} ({data['via']}){note}"
        case "trial.failed" | "sample.discarded" | "campaign.paused" | "campaign.ended":
            text = f"{event.kind}: {data['reason']}"
        case _:
            return ""
    return f"{trial} {text}".strip()
