//! Pictures and video in, annotated pictures and video out.
//!
//! Everything that looks at pixels in moue passes them as a [`Picture`] (colour) or a [`Grey`]
//! (luma), both plain row-major byte buffers that any other library can take over without a copy.
//!
//! - [`read_picture`], [`read_grey`]: a file or its bytes, upright, within [`Limits`];
//! - [`find_pictures`]: the pictures meant by a list of files and folders;
//! - [`Picture::resized`], [`Grey::crop`], [`Grey::crop_resized`]: other sizes and parts;
//! - [`draw_faces`], [`draw_text`], [`palette`]: what people see on a picture;
//! - [`Sheet`]: many small pictures on one page;
//! - [`Video`]: every frame of a file, stream or camera with its time;
//! - [`VideoWriter`]: frames into a video, with the sound of another;
//! - [`Picture::write`], [`Grey::write`]: PNG and JPEG files.

mod decode;
mod draw;
mod encode;
mod error;
mod find;
mod luma;
mod moving;
mod picture;
mod resize;
mod sheet;
mod turn;
mod video;

pub use decode::{Limits, decode_grey, decode_picture, read_grey, read_picture};
pub use draw::{
    FaceMark, Weight, draw_face, draw_faces, draw_text, fit_text, measure_text, palette, readable_on,
};
pub use error::Error;
pub use find::{Found, find_pictures, is_own_output, is_picture_path, looks_like_picture};
pub use moving::is_moving_picture;
pub use picture::{Grey, Picture, Region};
pub use sheet::{Sheet, Tile};
pub use video::{
    Camera, RawFormat, Video, VideoFacts, VideoFrame, VideoOptions, VideoSource, VideoWriter, video_facts,
};
