// SPDX-License-Identifier: Apache-2.0

package import Linux
package import Logging
import Netlink

/// Says that something about the devices of this host may have changed.
///
/// One element stands for any number of changes: whoever hears it takes a new snapshot. Changes that
/// come while nobody listens are one element.
package enum HostWatcher {
    /// Starts a thread that waits for the kernel's announcements; it ends with the stream.
    package static func changes(log: Logger) throws(SystemError) -> AsyncStream<Void> {
        let routing = try EventSocket.routing()
        let devices = try EventSocket.devices()
        // Closing our end of the pair ends the thread.
        let (stop, watched) = try UnixSocket.pair()
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        try KernelThread.start {
            while true {
                let ready: [Int]
                do throws(SystemError) {
                    ready = try Poller.readable([watched, routing.descriptor, devices.descriptor], milliseconds: -1)
                } catch {
                    log.error("changes of devices are no longer seen", metadata: ["error": "\(error)"])
                    break
                }
                if ready.contains(0) { break }
                if ready.contains(1) { routing.drain() }
                if ready.contains(2) { devices.drain() }
                if !ready.isEmpty { continuation.yield() }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in try? UnixSocket.send([0], to: stop) }
        return stream
    }
}
