// SPDX-License-Identifier: Apache-2.0

package import Linux

/// What DHCP clients of nearside-nri were given, and pods that ran without their devices.
extension JournalFolder {
    package func latePods() -> (pods: [LatePod], damaged: [JournalError]) { readAll(.late) }

    package func write(_ pod: LatePod) throws(JournalError) { try write(pod, .late, pod.uid, isDurable: false) }

    package func removeLatePod(_ uid: String) { try? remove(.late, uid) }

    package var leases: String { "\(statesPath)/leases" }

    /// Where the DHCP client of an interface writes what it was given. The namespace is one that is there: its number is no other's.
    package func leaseFile(_ key: LeaseKey) throws(JournalError) -> String {
        for part in [key.claim, key.device] { _ = try checkedFile(.states, part) }
        return "\(leases)/\(key.claim)_\(key.device)_\(key.namespace.inode)\(key.family == .v4 ? "" : "_v6")"
    }

    /// What a client keeps for itself beside the file it writes for us, and what that was when it had a lease: a client writes its own anew
    /// whenever it starts, and one that is killed then leaves half of it.
    package static func clientFile(_ leaseFile: String) -> String { leaseFile + ".client" }
    package static func boundClientFile(_ leaseFile: String) -> String { leaseFile + ".bound" }

    /// Nil before the first one.
    package func lease(_ key: LeaseKey) -> Lease? {
        (try? leaseFile(key)).flatMap { try? Files.readText($0) }.flatMap { Lease(text: $0, family: key.family) }
    }

    /// Fine when there is none.
    package func removeLease(_ key: LeaseKey) throws(SystemError) {
        guard let file = try? leaseFile(key) else { return }
        for name in [file, Self.clientFile(file), Self.boundClientFile(file)] { try Files.remove(name) }
    }
}
