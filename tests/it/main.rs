//! Black box.

mod house;
