// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Journal
import Linux
import Logging
import SliceModel

/// The missing features of the cluster, saved for the next instance, so that it does not detect them again.
struct ClusterMemory: Codable {
    private var lacks: Set<ClusterFeature>

    static func read(_ journal: JournalFolder) -> Set<ClusterFeature> {
        // An unreadable file costs one more attempt.
        guard let bytes = try? Files.read(journal.cluster) else { return [] }
        return (try? JSONDecoder().decode(ClusterMemory.self, from: Data(bytes)))?.lacks ?? []
    }

    static func write(_ lacks: Set<ClusterFeature>, _ journal: JournalFolder, log: Logger) {
        do {
            if lacks.isEmpty { return try Files.remove(journal.cluster) }
            try Files.replace(journal.cluster, with: [UInt8](try JSONEncoder().encode(ClusterMemory(lacks: lacks))), mode: 0o600)
        } catch { log.warning("saving the missing cluster features failed", metadata: ["error": "\(error)"]) }
    }
}
