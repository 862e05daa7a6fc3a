//! Memory and descriptors of the server's processes, sampled while a soak goes on. Owns the reading of `/proc` and the
//! slopes; on systems without `/proc` there is nothing to sample.

use std::time::Instant;

use serde::Serialize;

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Minutes since the soak began.
    pub minute: f64,
    /// Resident memory in KiB.
    pub memory_kib: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

/// What one process used, over all its lives.
#[derive(Debug, Clone, Serialize)]
pub struct Usage {
    /// Which process: its URL or its number.
    pub process: String,
    /// How often it was started.
    pub lives: usize,
    /// Samples in all lives.
    pub samples: usize,
    /// Resident memory in the first and the last sample, in KiB.
    pub memory_first_kib: u64,
    /// In the last one.
    pub memory_last_kib: u64,
    /// Least-squares slope over the longest life, without its first quarter.
    pub memory_kib_per_minute: f64,
    /// Open descriptors in the first sample.
    pub descriptors_first: u64,
    /// In the last one.
    pub descriptors_last: u64,
    /// Slope as of the memory.
    pub descriptors_per_minute: f64,
}

/// The samples of one process; each life has its own.
#[derive(Debug)]
pub struct Meter {
    process: String,
    pid: Option<u32>,
    lives: Vec<Vec<Sample>>,
}

impl Meter {
    /// Of a process that will be named by `follow`.
    pub fn new(process: String) -> Self {
        Self { process, pid: None, lives: Vec::new() }
    }

    /// Looks at this process from now on. Another number than before is another life.
    pub fn follow(&mut self, pid: u32) {
        if self.pid.replace(pid) != Some(pid) {
            self.lives.push(Vec::new());
        }
    }

    /// Takes a sample. Returns it, unless the process cannot be looked at.
    pub fn sample(&mut self, begin: Instant) -> Option<Sample> {
        let (memory_kib, descriptors) = look(self.pid?)?;
        let sample = Sample { minute: begin.elapsed().as_secs_f64() / 60.0, memory_kib, descriptors };
        self.lives.last_mut()?.push(sample);
        Some(sample)
    }

    /// The summary; none without samples.
    pub fn usage(&self) -> Option<Usage> {
        let all: Vec<&Sample> = self.lives.iter().flatten().collect();
        let (first, last) = (all.first()?, all.last()?);
        let longest = self.lives.iter().max_by_key(|life| life.len())?;
        let settled = &longest[longest.len() / 4..];
        Some(Usage {
            process: self.process.clone(),
            lives: self.lives.len(),
            samples: all.len(),
            memory_first_kib: first.memory_kib,
            memory_last_kib: last.memory_kib,
            memory_kib_per_minute: slope(settled, |sample| sample.memory_kib),
            descriptors_first: first.descriptors,
            descriptors_last: last.descriptors,
            descriptors_per_minute: slope(settled, |sample| sample.descriptors),
        })
    }
}

/// Resident memory in KiB and the number of open descriptors.
fn look(pid: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let memory = memory.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some((memory, u64::try_from(descriptors).unwrap_or(u64::MAX)))
}

/// The least-squares slope by minute; 0 when there are fewer than two moments.
fn slope(samples: &[Sample], value: impl Fn(&Sample) -> u64) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count.max(1.0);
    let value = |sample: &Sample| value(sample) as f64;
    let (minutes, values) = (mean(&|sample| sample.minute), mean(&value));
    let spread: f64 = samples.iter().map(|sample| (sample.minute - minutes).powi(2)).sum();
    let common: f64 = samples.iter().map(|sample| (sample.minute - minutes) * (value(sample) - values)).sum();
    if spread > 0.0 { common / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_by_minute_and_leave_the_start_out() {
        let mut meter = Meter::new("p".to_owned());
        assert!(meter.usage().is_none());
        meter.follow(1);
        // A jump at the start, then 10 KiB a minute; descriptors stay.
        let life = (0..40_u32).map(|number| Sample {
            minute: f64::from(number) / 2.0,
            memory_kib: 1_000 + u64::from(number) * 5 - if number < 5 { 500 } else { 0 },
            descriptors: 20,
        });
        meter.lives[0].extend(life);
        meter.follow(2);
        meter.lives[1].push(Sample { minute: 21.0, memory_kib: 7, descriptors: 3 });
        let usage = meter.usage();
        assert!(usage.is_some_and(|usage| {
            (usage.lives, usage.samples, usage.memory_first_kib, usage.memory_last_kib) == (2, 41, 500, 7)
                && (usage.memory_kib_per_minute - 10.0).abs() < 0.001
                && usage.descriptors_per_minute.abs() < 0.001
        }));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_looked_at() {
        let mut meter = Meter::new("self".to_owned());
        meter.follow(std::process::id());
        let sample = meter.sample(Instant::now());
        assert!(sample.is_some_and(|sample| sample.memory_kib > 100 && sample.descriptors > 2));
        meter.follow(u32::MAX);
        assert!(meter.sample(Instant::now()).is_none());
    }
}
