// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Journal
package import JournalModel
package import Linux

/// The record of prepared claims, with a file for each claim, in a folder that survives a restart of the machine.
///
/// The kubelet's checkpoint lists prepared claims, so that after a restart of the machine the kubelet does not prepare them again,
/// although plans and CDI specifications are gone (kubernetes#141433). These files only identify the claims; their plans are computed
/// again from the cluster and the host.
package struct PreparedClaims: Sendable {
    package let folder: String

    /// - Parameter folder: created with the first claim.
    package init(folder: String) { self.folder = folder }

    private static let fileBytes = 4096
    private static let version = 1

    private struct Content: Codable {
        var version: Int
        var claim: ClaimIdentity
    }

    /// All remembered claims. Ignores other files.
    package func list() -> [ClaimIdentity] {
        Files.list(folder).compactMap { name in
            guard let uid = JournalFolder.uid(ofFile: name), let file = file(uid), let bytes = try? Files.read(file, limit: Self.fileBytes),
                let content = try? JSONDecoder().decode(Content.self, from: Data(bytes)), content.version == Self.version,
                content.claim.uid == uid
            else { return nil }
            return content.claim
        }
    }

    /// True if the claim is remembered.
    package func contains(_ uid: String) -> Bool { file(uid).map(Files.exists) ?? false }

    /// False only when the claim is certainly not remembered; true also when its file, or the folder, cannot be read.
    package func mayContain(_ uid: String) -> Bool {
        guard let file = file(uid) else { return false }
        do throws(SystemError) {
            _ = try Files.read(file, limit: Self.fileBytes)
            return true
        } catch { return !error.isNotFound }
    }

    /// Remembers a claim. A background thread flushes the file after the answer to the kubelet, which writes its own checkpoint still
    /// later.
    package func add(_ claim: ClaimIdentity) throws(SystemError) {
        guard let file = file(claim.uid), !Files.exists(file) else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(Content(version: Self.version, claim: claim)) else { return }
        try Files.makeFolder(folder, mode: 0o700)
        try Files.replace(file, with: [UInt8](data), mode: 0o600, isDurable: false)
        try CachedThreadPool.shared.run { [folder] in
            for path in [file, folder] { try? Files.flush(path) }
        }
    }

    /// Forgets a claim, if it is remembered.
    package func remove(_ uid: String) throws(SystemError) {
        if let file = file(uid) { try Files.remove(file) }
    }

    /// The file of a claim; nil for a UID that is not a valid file name.
    private func file(_ uid: String) -> String? {
        JournalNames.isUID(uid) ? "\(folder)/\(uid).json" : nil
    }
}
