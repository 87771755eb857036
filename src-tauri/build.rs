//! Embeds the page, the icons and the capabilities that tauri.conf.json names.
fn main() {
    tauri_build::build();
}
