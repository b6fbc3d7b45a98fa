// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import Linux
import NetworkModel

/// Leases of nearside-nri's DHCP clients, and reports of pods that ran without their devices.
extension JournalFolder {
    /// Reads the reports of all pods that ran without their devices.
    package func latePods() -> (pods: [LatePod], damaged: [JournalError]) { readAll(.late) }

    /// Writes the report of a pod that ran without its devices.
    package func write(_ pod: LatePod) throws(JournalError) { try write(pod, .late, pod.uid, isDurable: false) }

    /// Removes the report of a pod, if there is one.
    package func removeLatePod(_ uid: String) { try? remove(.late, uid) }

    package var leases: String { "\(statesPath)/leases" }

    /// Where that is kept which a DHCP server gave an interface. The namespace is one that is there: its number is no other's.
    package func leaseFile(_ key: LeaseKey) throws(JournalError) -> String {
        for part in [key.claim, key.device] { _ = try checkedFile(.states, part) }
        return "\(leases)/\(key.claim)_\(key.device)_\(key.namespace.inode)\(key.family == .v4 ? "" : "_v6")"
    }

    /// Nil before the first one.
    package func lease(_ key: LeaseKey) -> Lease? {
        (try? leaseFile(key)).flatMap { try? Files.readText($0) }.flatMap { Lease(text: $0, family: key.family) }
    }

    /// - Parameter lease: one that its client reported, with the time of the report.
    package func write(_ lease: Lease, _ key: LeaseKey) throws(JournalError) {
        let file = try leaseFile(key)
        do throws(SystemError) {
            try Files.makeFolder(leases, mode: 0o700)
            try Files.replace(file, with: [UInt8](lease.text.utf8), mode: 0o600, isDurable: false)
        } catch { throw JournalError(.systemError, file, .write, "\(error)") }
    }

    /// Fine when there is none.
    package func removeLease(_ key: LeaseKey) throws(SystemError) {
        guard let file = try? leaseFile(key) else { return }
        try Files.remove(file)
    }
}
