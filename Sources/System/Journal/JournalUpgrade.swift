// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
package import Linux

/// The upgrade from releases with one folder for both daemons, while pods run.
///
/// `nearside-nri` converts its files once in a boot, at its first start after the instance of the older release has ended. It ignores
/// files that appear in the old folder later. Gates of containers that the older release prepared connect to the old socket:
/// `nearside-node` links it to the new one.
extension JournalFolder {
    private var mark: String { "\(statesPath)/taken-over" }
    private var oldSocket: String { "\(path)/nri.sock" }

    /// True after the last instance of an older release has ended.
    package var isTakenOver: Bool { Files.exists(mark) }

    /// The lock file of an instance of an older release; nil if there was none.
    package var oldLock: String? { Files.exists("\(path)/nri.lock") ? "\(path)/nri.lock" : nil }

    /// Copies states, reports of late pods and leases, for nearside-nri, which holds both locks.
    ///
    /// - Returns: the number of copied files, and errors of unreadable ones.
    /// - Throws: an error if a copy cannot be written; then all copies are made again.
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

    /// Links the old path of the socket to the new one, if the old folder exists. For nearside-node.
    package func linkOldSocket() throws(SystemError) {
        guard Files.exists("\(path)/states"), Files.linkTarget(oldSocket) != socket else { return }
        try Files.remove(oldSocket)
        try Files.makeLink(oldSocket, to: socket)
    }
}
