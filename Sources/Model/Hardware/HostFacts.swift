// SPDX-License-Identifier: Apache-2.0

/// Facts of a host besides its devices that decide whether the devices reach their best.
package struct HostFacts: Sendable {
    /// Names of loaded kernel modules; nil when that is not known.
    package var modules: Set<String>?
    /// True for NVIDIA's open driver, which exports GPU memory as dma-buf; nil without the driver.
    package var hasOpenNVIDIADriver: Bool?
    /// Types of IOMMU groups by number: `DMA`, `DMA-FQ`, `identity`.
    package var translation: [Int: String] = [:]
    /// Bytes that a process that this one starts may lock; nil when there is no limit.
    package var lockedMemory: UInt64?
    package var hasNRISocket = false

    package init() {}
}
