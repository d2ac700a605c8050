/** The product's worker for pictures, which notes the functions of CPython that it enters. */
import "./note.js";
import "../../../web/worker/worker.js";
