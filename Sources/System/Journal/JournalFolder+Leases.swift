// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import Linux
import NetworkModel

/// Leases of nearside-nri's DHCP clients, and reports of late pods.
extension JournalFolder {
    /// Reads the reports of all late pods.
    package func latePods() -> (pods: [LatePod], damaged: [JournalError]) { readAll(.late) }

    /// Writes the report of a late pod.
    package func write(_ pod: LatePod) throws(JournalError) { try write(pod, .late, pod.uid, isDurable: false) }

    /// Removes the report of a pod, if it exists.
    package func removeLatePod(_ uid: String) { try? remove(.late, uid) }

    package var leases: String { "\(statesPath)/leases" }

    /// The file of an interface's lease. The inode number of an existing namespace makes the name unique.
    package func leaseFile(_ key: LeaseKey) throws(JournalError) -> String {
        for part in [key.claim, key.device] { _ = try checkedFile(.states, part) }
        return "\(leases)/\(key.claim)_\(key.device)_\(key.namespace.inode)\(key.family == .v4 ? "" : "_v6")"
    }

    /// Reads a lease; nil without a file.
    package func lease(_ key: LeaseKey) -> Lease? {
        (try? leaseFile(key)).flatMap { try? Files.readText($0) }.flatMap { Lease(text: $0, family: key.family) }
    }

    /// - Parameter lease: the lease as its client reported it, with the time of the report.
    package func write(_ lease: Lease, _ key: LeaseKey) throws(JournalError) {
        let file = try leaseFile(key)
        do throws(SystemError) {
            try Files.makeFolder(leases, mode: 0o700)
            try Files.replace(file, with: [UInt8](lease.text.utf8), mode: 0o600, isDurable: false)
        } catch { throw JournalError(.systemError, file, .write, "\(error)") }
    }

    /// Removes a lease, if it exists.
    package func removeLease(_ key: LeaseKey) throws(SystemError) {
        guard let file = try? leaseFile(key) else { return }
        try Files.remove(file)
    }
}
