/** A page without live parts. */

import { keepTimesFresh } from "../dom.js";
import { listenToKeys } from "../keyboard.js";

listenToKeys();
keepTimesFresh();
