//! A progress bar on standard error, if that is a terminal and the work takes long.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// Work that takes less time than this shows no bar.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// `len` is in bytes, if it is known.
    pub(crate) fn new(len: Option<u64>) -> Self {
        let template = match len {
            Some(_) => "{bar:40} {percent} %  {bytes} of {total_bytes}, {eta} left",
            None => "{spinner} {bytes} read, {bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::with_draw_target(len, ProgressDrawTarget::hidden()).with_style(style) }
    }

    /// Counts what is read from the input.
    pub(crate) fn input<R: Read>(&self, input: R) -> impl Read + use<R> {
        Input { input, bar: self.bar.clone(), show_at: Some(Instant::now() + PATIENCE) }
    }

    /// Hides the bar while something is written, as that may go to the same terminal.
    pub(crate) fn output<W: Write>(&self, output: W) -> impl Write + use<W> {
        Output { output, bar: self.bar.clone() }
    }

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

struct Input<R> {
    input: R,
    bar: ProgressBar,
    /// `None` once the bar is shown.
    show_at: Option<Instant>,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buffer)?;
        if self.show_at.is_some_and(|show_at| Instant::now() >= show_at) {
            self.show_at = None;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(len as u64);
        Ok(len)
    }
}

struct Output<W> {
    output: W,
    bar: ProgressBar,
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| self.output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
