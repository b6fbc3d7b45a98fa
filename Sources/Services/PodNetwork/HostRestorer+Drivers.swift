// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import Netlink
import NetworkModel

/// Restores settings of drivers, software RDMA, and settings that only sysfs provides.
extension HostRestorer {
    private static let driverStep = "restore driver settings"

    mutating func prepareDrivers() {
        for item in items {
            // Refusals are reported by the final attempt.
            if let settings = item.record.driverSettings { try? host.drivers.calls(to: item.link.name).prepare(settings) }
        }
    }

    /// Numbers of queues and other parameters of ethtool netlink.
    mutating func restoreDriverParameters() throws(PodNetworkError) {
        guard let ethtool = host.ethtool else { return }
        let recorded = items.compactMap { item in item.record.parameters.map { (item: item, parameters: $0) } }
        guard let first = recorded.first else { return }
        let now = try HostNetwork.step(first.item.name, "read driver settings") { () throws(NetlinkError) in
            try ethtool.parameters(of: recorded.map(\.item.link.index))
        }
        for (entry, now) in zip(recorded, now) {
            do throws(NetlinkError) { try ethtool.restore(entry.parameters, now: now, of: entry.item.link.index) } catch {
                problems.add(PodNetworkError(.notSet, entry.item.name, Self.driverStep, error), to: entry.item.device)
            }
        }
    }

    /// Offloads of the kernel, or private flags of the driver.
    mutating func restoreBits(_ list: Ethtool.BitList) throws(PodNetworkError) {
        guard let ethtool = host.ethtool else { return }
        let recorded = items.compactMap { item in
            (list == .features ? item.record.features : item.record.privateFlags).map { (item: item, bits: $0) }
        }
        guard let first = recorded.first else { return }
        let now = try HostNetwork.step(first.item.name, "read features") { () throws(NetlinkError) in
            try ethtool.wantedBits(list, of: recorded.map(\.item.link.index))
        }
        for (entry, now) in zip(recorded, now) where now != entry.bits {
            do throws(NetlinkError) { try ethtool.restore(list, entry.bits, now: now, of: entry.item.link.index) } catch {
                problems.add(PodNetworkError(.notSet, entry.item.name, "restore features", error), to: entry.item.device)
            }
        }
    }

    mutating func restoreDriverSettings() {
        for item in items {
            guard let settings = item.record.driverSettings else { continue }
            var refused: [String] = []
            do throws(SystemError) { refused = try host.drivers.calls(to: item.link.name).restore(settings) } catch {
                refused = ["\(error)"]
            }
            guard !refused.isEmpty else { continue }
            // Only the first problem of a device is reported, so that the causes are joined.
            problems.join(PodNetworkError(.notSet, item.name, Self.driverStep, refused.joined(separator: "; ")), to: item.device)
        }
    }

    mutating func restoreSysfsSettings() {
        guard let sysfs = host.ownSysfs else { return }
        for item in items {
            guard let settings = item.record.sysfs else { continue }
            var refused: [String] = []
            do throws(SystemError) {
                refused = try sysfs.restore(settings, of: item.name, isHardware: item.record.parentDevice != nil)
            } catch { refused = ["\(error)"] }
            guard !refused.isEmpty else { continue }
            let cause = refused.prefix(8).joined(separator: "; ") + (refused.count > 8 ? "; and \(refused.count - 8) more" : "")
            problems.add(PodNetworkError(.notSet, item.name, "restore settings in sysfs", cause), to: item.device)
        }
    }

    mutating func restoreSoftwareRDMA() {
        let recorded = items.compactMap { item in item.record.softwareRDMA.map { (device: $0, item: item) } }
        for (device, item) in recorded.sorted(by: { $0.device.nodeNumber < $1.device.nodeNumber }) {
            do throws(PodNetworkError) { try host.remakeOnHost(device, over: item.name) } catch { problems.add(error, to: item.device) }
        }
    }
}
