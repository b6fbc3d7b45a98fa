// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Journal
import Linux
import Logging
import SliceModel

/// What the cluster was found to lack, kept for the next instance, so that it does not try everything again.
struct ClusterMemory: Codable {
    private var lacks: Set<ClusterFeature>

    static func read(_ journal: JournalFolder) -> Set<ClusterFeature> {
        // A file that cannot be read costs one more try.
        guard let bytes = try? Files.read(journal.cluster) else { return [] }
        return (try? JSONDecoder().decode(ClusterMemory.self, from: Data(bytes)))?.lacks ?? []
    }

    static func write(_ lacks: Set<ClusterFeature>, _ journal: JournalFolder, log: Logger) {
        do {
            if lacks.isEmpty { return try Files.remove(journal.cluster) }
            try Files.replace(journal.cluster, with: [UInt8](try JSONEncoder().encode(ClusterMemory(lacks: lacks))), mode: 0o600)
        } catch { log.warning("what the cluster lacks is not kept for the next start", metadata: ["error": "\(error)"]) }
    }
}
