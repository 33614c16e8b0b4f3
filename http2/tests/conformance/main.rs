//! RFC 9113 case by case. Frames are written and read by a kit of the tests' own, so that an
//! error which the crate's writer and reader share does not cancel out.

mod client_limits;
mod credit;
mod credit_bounds;
mod end;
mod flow;
mod frames;
mod greeting;
mod keepalive;
mod large_lists;
mod limits;
mod limits_bytes;
mod limits_glitches;
mod limits_time;
mod limits_waste;
mod memo;
mod messages;
mod random;
mod robustness;
mod share;
mod shutdown;
mod streams;
mod wire;
mod write_path;
