import { version } from "../../package.json";

/** The version of this program, such as `0.1.0`. */
export const VERSION: string = version;
