//! Devices of Vulkan, Metal and DirectX 12.

use std::sync::{Mutex, PoisonError};

use burn_tensor::wgpu::WgpuInitError;
use burn_tensor::{Device, DeviceKind};
use moue_graph::{Error, Result};

/// The device, once one has been opened: burn opens each only once a process.
static OPENED: Mutex<Option<Device>> = Mutex::new(None);

/// The best device there is; a processor that plays one, where there is nothing else.
pub(crate) fn open() -> Result<Device> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = &*opened {
        return Ok(device.clone());
    }
    let kinds = [DeviceKind::DefaultDevice, DeviceKind::Cpu];
    let mut last = None;
    for kind in kinds {
        match Device::wgpu_options().device_kind(kind).init() {
            Ok(device) => {
                *opened = Some(device.clone());
                return Ok(device);
            }
            Err(e @ WgpuInitError::AdapterUnavailable { .. }) => last = Some(e),
            Err(e) => return Err(Error::Engine(one_line(&format!("wgpu: {e}")))),
        }
    }
    drop(last);
    Err(Error::Engine(
        "no device for Vulkan, Metal or DirectX 12 was found: install the graphics driver (Debian: apt install mesa-vulkan-drivers)"
            .into(),
    ))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
