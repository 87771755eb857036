import { mount } from "svelte";

import App from "./App.svelte";
import "./app.css";
import { asError } from "./backend";
import { begin, desk } from "./desk.svelte";
import { language, say } from "./words/speak";

document.documentElement.lang = language;
document.title = say("app.name");

const target = document.getElementById("app");
if (target) mount(App, { target });
begin().catch((cause: unknown) => (desk.failure = asError(cause)));
