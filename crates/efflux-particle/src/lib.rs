//! efflux-particle
