//! Progress on a terminal, and none in a pipe.

use super::Format;
use drydock_engine::progress::{Progress as Report, ProgressSink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};

/// A line at the bottom of the terminal that says what goes on.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn start(format: Format) -> Self {
        let shown = format == Format::Human && io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(spinner());
        Self { bar }
    }

    pub(crate) fn sink(&self) -> ProgressSink {
        let bar = self.bar.clone();
        let (spinner, download, count) = (spinner(), download(), count());
        ProgressSink::new(move |report| match report {
            Report::Step(text) => {
                bar.set_style(spinner.clone());
                bar.set_message(text);
                bar.enable_steady_tick(std::time::Duration::from_millis(120));
            }
            Report::Bytes { what, done, total } => {
                if let Some(total) = total {
                    bar.set_style(download.clone());
                    bar.set_length(total);
                }
                bar.set_message(what);
                bar.set_position(done);
            }
            Report::Count { what, done, total } => {
                if let Some(total) = total {
                    bar.set_style(count.clone());
                    bar.set_length(total);
                }
                bar.set_message(what);
                bar.set_position(done);
            }
            Report::Line(text) => {
                let text: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
                bar.set_style(spinner.clone());
                bar.set_message(text);
                bar.tick();
            }
        })
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn spinner() -> ProgressStyle {
    style("{spinner} {wide_msg} {elapsed}")
}

fn download() -> ProgressStyle {
    style("{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left")
}

fn count() -> ProgressStyle {
    style("{msg} {wide_bar} {pos} of {len}, {eta} left")
}

/// The templates are constants of this file; a fault in one falls back to the plain style.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
