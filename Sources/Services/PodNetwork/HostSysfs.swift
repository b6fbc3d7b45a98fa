// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Linux
import NetworkModel

/// sysfs of one network namespace, without a mount point: the sysfs mounted in this process's container may show another namespace.
struct HostSysfs {
    private let folder: Descriptor

    /// Mounts sysfs for the calling thread's namespace; nil without CAP_SYS_ADMIN and before Linux 5.2.
    init?() {
        let mount = CLinux_mount_sysfs()
        guard mount >= 0 else { return nil }
        folder = Descriptor(owning: mount)
    }

    /// The inode number of an interface's folder. It is the same in every namespace, and unique among all interfaces.
    func inode(of interface: String) -> UInt64? {
        let inode = unsafe CLinux_inode_at(folder.raw, "class/net/\(interface)")
        return inode == 0 ? nil : inode
    }

    // MARK: Settings

    /// Reads the settings of an interface. Skips files that do not exist, or that the driver refuses to read.
    ///
    /// - Parameter isHardware: true for an interface of a device on a bus.
    /// - Throws: E2BIG for more than ``SysfsSettings/Limit``.
    func settings(of interface: String, isHardware: Bool) throws(SystemError) -> SysfsSettings {
        let path = "class/net/\(interface)"
        var settings = SysfsSettings()
        for file in SysfsSettings.File.ofInterface {
            if let value = value("\(path)/\(file.path(queue: 0))") { settings.append(file, queue: 0, value) }
        }
        try read(SysfsSettings.File.ofReceiveQueues, ofQueues: "rx", path, &settings)
        let hasSeveral = exists("\(path)/queues/tx-1")
        let files = (hasSeveral ? SysfsSettings.File.ofSeveralQueues : []) + (isHardware ? SysfsSettings.File.ofHardware : [])
        if !files.isEmpty { try read(files, ofQueues: "tx", path, &settings) }
        return settings
    }

    private func read(
        _ files: [SysfsSettings.File], ofQueues kind: String, _ path: String, _ settings: inout SysfsSettings
    ) throws(SystemError) {
        var all = files.map { (file: $0, settings: SysfsSettings()) }
        var queue = 0
        while queue < SysfsSettings.Limit.queues, queue == 0 || exists("\(path)/queues/\(kind)-\(queue)") {
            for index in all.indices {
                let file = all[index].file
                if let value = value("\(path)/\(file.path(queue: queue))") { all[index].settings.append(file, queue: queue, value) }
            }
            queue += 1
        }
        settings.entries += all.flatMap(\.settings.entries)
        guard settings.bytes <= SysfsSettings.Limit.bytes else { throw SystemError("record the queues", path, code: E2BIG) }
    }

    /// Writes the recorded values that differ, and reads them again.
    ///
    /// - Returns: the files that still differ, each with the reason.
    func restore(_ record: SysfsSettings, of interface: String, isHardware: Bool) throws(SystemError) -> [String] {
        var refusals: [String: String] = [:]
        let changes = record.differences(from: try settings(of: interface, isHardware: isHardware))
        guard !changes.isEmpty else { return [] }
        for change in changes {
            do throws(SystemError) { try write("class/net/\(interface)/\(change.path)", change.value) } catch {
                refusals[change.path] = "\(error)"
            }
        }
        return record.differences(from: try settings(of: interface, isHardware: isHardware)).map { change in
            refusals[change.path] ?? "\(change.path) did not accept \(change.value)"
        }
    }

    private func exists(_ path: String) -> Bool { unsafe faccessat(folder.raw, path, F_OK, 0) == 0 }

    private func value(_ path: String) -> String? {
        let size = SysfsSettings.Limit.valueBytes + 1
        var buffer = [UInt8](repeating: 0, count: size)
        // SAFETY: the call writes no more than the size.
        let count = unsafe CLinux_read_at(folder.raw, path, &buffer, size)
        return count > 0 ? SysfsSettings.value(of: String(decoding: buffer[..<count], as: UTF8.self)) : nil
    }

    private func write(_ path: String, _ value: String) throws(SystemError) {
        let file = Descriptor(owning: try checked("open", path) { unsafe openat(folder.raw, path, O_WRONLY | O_CLOEXEC | O_NOCTTY) })
        do throws(SystemError) { try file.write(all: [UInt8](value.utf8)) } catch {
            throw SystemError("write \"\(value)\"", path, code: error.code)
        }
    }
}
