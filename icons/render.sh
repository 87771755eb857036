#!/usr/bin/env bash
# Renders the SVG sources in this folder to the files that Tauri and the menu bar want.
# The results are committed, so that a build needs no SVG renderer. Needs rsvg-convert (librsvg2-bin) and Python 3.
set -euo pipefail
cd "$(dirname "$0")"

png() { rsvg-convert --width "$2" --height "$2" --output "$3" "$1"; }

# The menu bar wants 18 points, sharp on a Retina screen; Linux panels take 32 pixels.
for state in idle working needs-you problem offline; do
  png "tray-$state.svg" 36 "tray-$state@2x.png"
  png "panel-$state.svg" 32 "panel-$state.png"
done
for size in 16 32 64 128 256 512 1024; do png drydock.svg "$size" "$size.png"; done

# .icns and .ico are plain containers around PNG files, so no other tool is needed to write them.
python3 - <<'PYTHON'
import pathlib, struct

png = lambda size: pathlib.Path(f"{size}.png").read_bytes()

# The type codes are Apple's: the same pixels carry two codes where a size is also a smaller one's @2x.
kinds = [("icp4", 16), ("ic11", 32), ("icp5", 32), ("ic12", 64), ("ic07", 128), ("ic13", 256), ("ic08", 256),
         ("ic14", 512), ("ic09", 512), ("ic10", 1024)]
entries = b"".join(code.encode() + struct.pack(">I", 8 + len(png(size))) + png(size) for code, size in kinds)
pathlib.Path("icon.icns").write_bytes(b"icns" + struct.pack(">I", 8 + len(entries)) + entries)

sizes = [16, 32, 64, 256]
offset, heads, bodies = 6 + 16 * len(sizes), b"", b""
for size in sizes:
    # A zero stands for 256: the field is one byte.
    heads += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(png(size)), offset + len(bodies))
    bodies += png(size)
pathlib.Path("icon.ico").write_bytes(struct.pack("<HHH", 0, 1, len(sizes)) + heads + bodies)
PYTHON

# Only these are asked for by name; the rest lives on inside the .icns and .ico.
mv 256.png 128x128@2x.png
mv 128.png 128x128.png
mv 32.png 32x32.png
mv 512.png icon.png
rm 16.png 64.png 1024.png
