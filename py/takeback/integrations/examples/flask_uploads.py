"""Flask: checks a file before it is stored. Needs TAKEBACK_GATE_HOME."""

from functools import cache

from flask import Flask, abort, request

from takeback.gate import Action, Gate

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 32 * 1024 * 1024

Gate.open().close()  # a folder that cannot be used stops the server here, and not the first upload
gate = cache(Gate.open)  # opened at the first upload, which comes after the server has forked


@app.post("/upload")
def upload() -> tuple[str, int]:
    """Stores a photo that is not listed."""
    photo = request.files["photo"]
    decision = gate().check(photo.stream, given=photo.mimetype)  # puts the stream back to its beginning
    if decision.action is Action.BLOCK:
        gate().feedback(decision, "blocked")
        abort(422, "This picture cannot be posted here.")
    if decision.action is Action.REVIEW:
        return "A moderator will look at it first.", 202
    return "Stored.", 201
