/** What the sealed-worker test serves: the ways out, taken first, and then the product's worker for videos as it is. */
import "./exits.js";
import "../../web/worker/video.js";
