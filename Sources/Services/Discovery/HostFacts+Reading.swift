// SPDX-License-Identifier: Apache-2.0

package import Hardware
import Linux
import Primitives

extension HostFacts {
    /// Reads the facts of a live host, or of a captured tree.
    ///
    /// - Parameter groups: IOMMU groups whose type is read.
    package init(root: String, groups: Set<Int>, isLive: Bool) {
        self.init()
        let prefix = root == "/" ? "" : root
        if let text = try? Files.readText("\(prefix)/proc/modules") {
            modules = Set(text.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) })
            // A built-in driver has a folder, but no line in the file.
            modules?.formUnion(Files.list("\(prefix)/sys/module"))
        }
        if let text = try? Files.readText("\(prefix)/proc/driver/nvidia/version") {
            hasOpenNVIDIADriver = text.includes("Open Kernel Module")
        }
        for group in groups {
            if let type = try? Files.readText("\(prefix)/sys/kernel/iommu_groups/\(group)/type") {
                translation[group] = String(type.prefix { $0 != "\n" })
            }
        }
        hasNRISocket = Files.exists("\(prefix)/var/run/nri/nri.sock") || Files.exists("\(prefix)/run/nri/nri.sock")
        guard isLive, let limits = try? Files.readText("/proc/self/limits") else { return }
        for line in limits.split(separator: "\n") where line.hasPrefix("Max locked memory") {
            lockedMemory = line.split(separator: " ").dropFirst(3).first.flatMap { UInt64($0) }
        }
    }
}
