import { mount } from "svelte";

import "./app.css";
import { choose, words } from "./messages/messages";
import Home from "./pages/home/Home.svelte";

const language = choose(navigator.languages);
const say = words(language);

document.documentElement.lang = language;
document.title = say("app.name");

const target = document.getElementById("app");
if (target) mount(Home, { target, props: { say } });
