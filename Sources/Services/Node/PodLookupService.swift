// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ClaimPreparation
import ControlProtocol
import Glibc
import Linux
import Logging
import ServiceLifecycle

/// Answers `nearside-nri`, which may not ask the cluster itself, which claims a pod uses that no plan names; and probes.
struct PodLookupService: Service {
    let socket: String
    let preparer: ClaimPreparer
    let health: NodeHealth
    let log: Logger

    private static let acceptPause = 1000

    func run() async throws {
        let listener: Descriptor
        do { listener = try await cancelWhenGracefulShutdown { try await listen() } } catch is CancellationError { return }
        // Gone before nobody serves it any more: the next instance takes its place then, and its socket is not ours to remove.
        defer {
            try? Files.remove(socket)
            withExtendedLifetime(listener) {}
        }
        let (stop, stopped) = try UnixSocket.pair()
        let (questions, asked) = AsyncStream<Question>.makeStream(bufferingPolicy: .bufferingNewest(64))
        try KernelThread.start { [log] in
            while let ready = try? Poller.readable([stopped, listener], milliseconds: -1), !ready.contains(0) {
                guard !ready.isEmpty else { continue }
                do throws(SystemError) {
                    let client = try UnixSocket.accept(listener)
                    guard UnixSocket.isRoot(client) else {
                        log.error("a request of somebody who is not root is not taken")
                        continue
                    }
                    if let question = Question(client) { asked.yield(question) }
                } catch {
                    log.error("a request could not be taken", metadata: ["error": "\(error)"])
                    // Without a free descriptor the listener stays readable: it is left alone for a while.
                    _ = try? Poller.readable([stopped], milliseconds: Self.acceptPause)
                }
            }
            asked.finish()
        }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await question in questions { group.addTask { await answer(question) } }
            }
        } onGracefulShutdown: {
            try? UnixSocket.send([0], to: stop)
        }
    }

    /// During a rolling update the older instance answers as well as we would, as long as it is there.
    private func listen() async throws -> Descriptor {
        while true {
            do throws(SystemError) { return try UnixSocket.listen(socket) } catch {
                guard error.code == EADDRINUSE else { throw error }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func answer(_ question: Question) async {
        let (namespace, name, uid): (String, String, String)
        switch question.request {
        case .check(let level): return question.answer(await health.problem(level).map(ControlReply.refused) ?? .ok)
        case .pod(let namespaceOfPod, let nameOfPod, let uidOfPod): (namespace, name, uid) = (namespaceOfPod, nameOfPod, uidOfPod)
        case nil: return question.answer(.refused("this is no request; known are alive, ready and pod NAMESPACE NAME UID"))
        }
        do throws(ClaimError) {
            try await preparer.note(pod: name, namespace: namespace, uid: uid)
            question.answer(.ok)
        } catch {
            log.warning("cannot tell which claims a pod uses", metadata: ["pod": "\(namespace)/\(name)", "error": "\(error)"])
            question.answer(.refused("\(error)"))
        }
    }
}

/// A connection, with what was asked on it.
private struct Question: Sendable {
    let client: Descriptor
    /// Nil for nonsense.
    let request: NodeRequest?

    /// Nil when no whole line comes within 200 ms: who asks sends it at once.
    init?(_ client: Descriptor) {
        self.client = client
        var line: [UInt8] = []
        let end = Poller.now() + 200
        while !line.contains(UInt8(ascii: "\n")), line.count < NodeRequest.lineLimit {
            let left = end - Poller.now()
            guard left > 0, (try? UnixSocket.setTimeout(client, milliseconds: left)) != nil,
                let part = try? UnixSocket.receive(from: client, atMost: NodeRequest.lineLimit).bytes, !part.isEmpty
            else { return nil }
            line += part
        }
        request = NodeRequest(line: String(decoding: line.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// If it has left meanwhile, nobody is there to be told.
    func answer(_ reply: ControlReply) { try? UnixSocket.send([UInt8](reply.line.utf8), to: client) }
}
