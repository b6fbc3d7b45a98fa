// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
package import Linux

/// The upgrade from releases that had one folder for both daemons, while pods run.
///
/// `nearside-nri` takes its files over once in a run of the kernel, at its first start, after the instance of the older release has
/// ended; files that appear in the old place later are ignored. Gates of containers that were prepared by the older release ask at the
/// old socket: `nearside-node` leaves a link to the new one there.
extension JournalFolder {
    private var mark: String { "\(statesPath)/taken-over" }
    private var oldSocket: String { "\(path)/nri.sock" }

    /// True once no instance of an older release serves this journal.
    package var isTakenOver: Bool { Files.exists(mark) }

    /// The lock that an instance of an older release holds while it runs; nil if there was none.
    package var oldLock: String? { Files.exists("\(path)/nri.lock") ? "\(path)/nri.lock" : nil }

    /// Copies states, reports of late pods and leases. For nearside-nri, which holds both locks.
    ///
    /// - Returns: how many files were copied, and errors of those that cannot be read.
    /// - Throws: when a copy cannot be written; then all of it is done again.
    package func takeOver() throws(SystemError) -> (count: Int, errors: [SystemError]) {
        guard !isTakenOver else { return (0, []) }
        var count = 0
        var errors: [SystemError] = []
        for (old, new) in [("states", statesFolder), ("late", latePodsFolder), ("leases", leases)] {
            let names = Files.list("\(path)/\(old)").filter { !$0.hasPrefix(".") && !$0.hasSuffix(Self.aside) }.prefix(Self.takeOverLimit)
            if !names.isEmpty { try Files.makeFolder(new, mode: 0o700) }
            for name in names {
                let bytes: [UInt8]
                do throws(SystemError) { bytes = try Files.readPlain(name, in: "\(path)/\(old)", limit: ClaimState.sizeLimit) } catch {
                    errors.append(error)
                    continue
                }
                try Files.replace("\(new)/\(name)", with: bytes, mode: 0o600, isDurable: false)
                count += 1
            }
        }
        try Files.write(mark, "\(Boot.current)\n")
        return (count, errors)
    }

    private static let takeOverLimit = 4096

    /// Leaves a link to the socket in its old place, where there is an old place. For nearside-node.
    package func linkOldSocket() throws(SystemError) {
        guard Files.exists("\(path)/states"), Files.linkTarget(oldSocket) != socket else { return }
        try Files.remove(oldSocket)
        try Files.makeLink(oldSocket, to: socket)
    }
}
