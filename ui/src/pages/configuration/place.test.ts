import { expect, test } from "vitest";

import { named } from "./place";

test.each([
  ["claude/settings.json#/hooks/PreToolUse", "hooks › PreToolUse", "configuration.in.settings", "/hooks/PreToolUse"],
  ["claude.json#/projects/~1home~1ann/mcpServers/x", "projects › /home/ann › mcpServers › x", "configuration.in.state", "/projects/~1home~1ann/mcpServers/x"],
  ["drydock/settings.toml#/image/packages", "image › packages", "configuration.in.drydock", "/image/packages"],
  ["claude/agents/reviewer.md", "agents/reviewer.md", "configuration.in.file", null],
  ["claude/skills/c#/SKILL.md", "skills/c#/SKILL.md", "configuration.in.file", null],
])("%s is %s", (place, name, where, pointer) => {
  expect(named(place)).toEqual({ name, where, pointer });
});
