// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ClaimPreparation
import ControlProtocol
import Glibc
import Linux
import Logging
import ServiceLifecycle

/// Answers probes, and queries of `nearside-nri`, which has no access to the cluster, for the claims of a pod that no plan names.
struct PodLookupService: Service {
    let socket: String
    let preparer: ClaimPreparer
    let health: NodeHealth
    let log: Logger

    private static let acceptDelay = Duration.seconds(1)
    private static let readTimeout = Duration.milliseconds(200)

    func run() async throws {
        let listener: Descriptor
        do { listener = try await cancelWhenGracefulShutdown { try await listen() } } catch is CancellationError { return }
        // The file is removed before the listener closes: later it could be the next instance's file.
        defer {
            try? Files.remove(socket)
            withExtendedLifetime(listener) {}
        }
        let (stop, stopped) = try UnixSocket.pair()
        let (requests, continuation) = AsyncStream<LookupRequest>.makeStream(bufferingPolicy: .bufferingNewest(64))
        try KernelThread.start { [log] in
            while let ready = try? Poller.readable([stopped, listener], until: nil), !ready.contains(0) {
                guard !ready.isEmpty else { continue }
                do throws(SystemError) {
                    let client = try UnixSocket.accept(listener)
                    guard UnixSocket.isRoot(client) else {
                        log.error("request not accepted: the client is not root")
                        continue
                    }
                    if let request = LookupRequest(client, timeout: Self.readTimeout) { continuation.yield(request) }
                } catch {
                    log.error("accepting a connection failed", metadata: ["error": "\(error)"])
                    // Without a free descriptor the listener stays readable: the next attempt follows a delay.
                    _ = try? Poller.readable([stopped], until: .after(Self.acceptDelay))
                }
            }
            continuation.finish()
        }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await request in requests { group.addTask { await answer(request) } }
            }
        } onGracefulShutdown: {
            try? UnixSocket.send([0], to: stop)
        }
    }

    /// Waits for the older instance of a rolling update, which serves the socket until it ends.
    private func listen() async throws -> Descriptor {
        while true {
            do throws(SystemError) { return try UnixSocket.listen(socket) } catch {
                guard error.code == EADDRINUSE else { throw error }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func answer(_ lookup: LookupRequest) async {
        let (namespace, name, uid): (String, String, String)
        switch lookup.request {
        case .check(let level): return lookup.answer(await health.problem(level).map(ControlReply.refused) ?? .ok)
        case .pod(let namespaceOfPod, let nameOfPod, let uidOfPod): (namespace, name, uid) = (namespaceOfPod, nameOfPod, uidOfPod)
        case nil: return lookup.answer(.refused("not a request; requests are alive, ready and pod NAMESPACE NAME UID"))
        }
        do throws(ClaimError) {
            try await preparer.note(pod: name, namespace: namespace, uid: uid)
            lookup.answer(.ok)
        } catch {
            log.warning("determining the claims of a pod failed", metadata: ["pod": "\(namespace)/\(name)", "error": "\(error)"])
            lookup.answer(.refused("\(error)"))
        }
    }
}

/// A connection with its request.
private struct LookupRequest: Sendable {
    let client: Descriptor
    /// Nil for an unknown request.
    let request: NodeRequest?

    /// Reads the request; nil if no complete line arrives in time.
    init?(_ client: Descriptor, timeout: Duration) {
        self.client = client
        var line: [UInt8] = []
        let deadline = Deadline.after(timeout)
        while !line.contains(UInt8(ascii: "\n")), line.count < NodeRequest.lineLimit {
            guard !deadline.hasPassed, (try? UnixSocket.setTimeout(client, deadline.remaining)) != nil,
                let part = try? UnixSocket.receive(from: client, atMost: NodeRequest.lineLimit).bytes, !part.isEmpty
            else { return nil }
            line += part
        }
        request = NodeRequest(line: String(decoding: line.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// Sends the reply. A client that has closed the connection gets none.
    func answer(_ reply: ControlReply) { try? UnixSocket.send([UInt8](reply.line.utf8), to: client) }
}
