// SPDX-License-Identifier: Apache-2.0

/// Settings of a host that affect the bandwidth of its devices.
package struct HostFacts: Sendable {
    /// Names of loaded kernel modules; nil if unknown.
    package var modules: Set<String>?
    /// True for NVIDIA's open driver, which exports GPU memory as dma-buf; nil without the driver.
    package var hasOpenNVIDIADriver: Bool?
    /// Types of IOMMU groups by number: `DMA`, `DMA-FQ`, `identity`.
    package var translation: [Int: String] = [:]
    /// Limit in bytes on locked memory of child processes; nil for none.
    package var lockedMemory: UInt64?
    package var hasNRISocket = false

    package init() {}
}
