"""Flask: checks a file before it is stored. Needs TAKEBACK_GATE_HOME."""

from functools import cache

from flask import Flask, abort, request

from takeback.gate import Action, Gate

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 32 * 1024 * 1024


gate = cache(Gate.open)  # opened at the first upload, which comes after the server has forked


@app.post("/upload")
def upload() -> tuple[str, int]:
    """Stores a photo that is not listed."""
    photo = request.files["photo"]
    decision = gate().check(photo.read(), given=photo.mimetype)
    if decision.action is Action.BLOCK:
        gate().feedback(decision, "blocked")
        abort(422, "This picture cannot be posted here.")
    if decision.action is Action.REVIEW:
        return "A moderator will look at it first.", 202
    return "Stored.", 201
