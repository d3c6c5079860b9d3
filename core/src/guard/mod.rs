//! One process's guard: captures nothing itself, decides, records before the body runs, and completes after it.
