// The language of this user, chosen once.
import { choose, speech } from "../messages/messages";

export const language = choose(navigator.languages);
export const { say, count, sayAny } = speech(language);
