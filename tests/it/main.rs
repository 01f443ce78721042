//! End-to-end tests of the built program `efflux`: what its help says, on real input.

#[cfg(test)]
mod cli_append;
#[cfg(test)]
mod cli_backup;
#[cfg(test)]
mod cli_consume;
#[cfg(test)]
mod cli_find;
#[cfg(test)]
mod cli_help;
#[cfg(test)]
mod cli_import;
#[cfg(test)]
mod cli_interrupt;
#[cfg(test)]
mod cli_read;
#[cfg(test)]
mod cli_stores;
#[cfg(test)]
mod cli_topics;
#[cfg(test)]
mod cli_verify;
#[cfg(test)]
mod data_sets;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod program;
#[cfg(test)]
mod tour;
