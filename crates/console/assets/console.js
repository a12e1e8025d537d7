// Everything works without scripts; these make it more comfortable.
import { showTimes } from "./times.js";
import { copyButtons } from "./copy.js";
import { openInDialogs } from "./dialogs.js";
import { follow } from "./live.js";

showTimes(document);
copyButtons(document);
openInDialogs();
follow();
