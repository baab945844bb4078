//! what every tool does around its work: run, report, exit, wait
