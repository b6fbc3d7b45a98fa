// SPDX-License-Identifier: Apache-2.0

import Journal
import Linux
import Logging
import ServiceLifecycle

/// Links the socket of `nearside-nri` to the path that gates of an older release use, once the older instance that serves this path has
/// ended.
struct UpgradeService: Service {
    let journal: JournalFolder
    let log: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !journal.isTakenOver {
                guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
            }
            do throws(SystemError) { try journal.linkOldSocket() } catch {
                log.error("socket for gates of an older release not linked", metadata: ["error": "\(error)"])
            }
            // A service that returns would end the daemon.
            while (try? await Task.sleep(for: .seconds(86_400))) != nil {}
        }
    }
}

extension FolderWatch {
    /// Watches a folder that the other daemon creates at its first start, and waits for the folder. Nil if the task is cancelled first.
    static func waiting(for path: String) async -> FolderWatch? {
        while true {
            if let watch = try? FolderWatch(path) { return watch }
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return nil }
        }
    }
}
