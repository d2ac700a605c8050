/** What the sealed-worker test serves: the ways out, taken first, and then the product's worker as it is. */
import "./exits.js";
import "../../web/worker/worker.js";
