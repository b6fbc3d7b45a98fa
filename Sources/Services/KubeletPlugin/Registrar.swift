// SPDX-License-Identifier: Apache-2.0

import Linux
import Logging
import NIOPosix
import Primitives
import ServiceLifecycle

/// Registers this driver with the kubelet, and again after a refusal or the loss of the socket.
struct Registrar: Sendable {
    let driver: String
    let names: SocketNames
    /// The folder in which the kubelet looks up sockets.
    let registry: String
    let eventLoopGroup: MultiThreadedEventLoopGroup
    let observe: @Sendable (RegistrationStatus) async -> Void
    let log: Logger

    /// The end of one registration socket.
    private enum End: Sendable {
        case shutdown
        case failed(String)
    }

    /// A kubelet queries the socket within a second or two.
    private static let timeout = Duration.seconds(30)
    /// The duration after which a lost registration resets the backoff.
    private static let steadyTime = Duration.seconds(60)
    private static let backoff = Backoff(first: .milliseconds(500), longest: .seconds(120))

    /// Runs until shutdown.
    func run() async {
        var attempt = 0
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let start = ContinuousClock.now
            // At shutdown the socket is removed, which is not a failure.
            guard case .failed(let reason) = await serve(), !Task.isShuttingDownGracefully else { return }
            await observe(.failed(reason))
            if ContinuousClock.now - start > Self.steadyTime { attempt = 0 }
            attempt += 1
            let delay = Self.backoff.delay(attempt: attempt)
            log.warning("registration with the kubelet failed; retrying", metadata: ["reason": "\(reason)", "delay": "\(delay)"])
            try? Files.remove(names.registration)
            await cancelWhenGracefulShutdown { try? await Task.sleep(for: delay) }
        }
    }

    /// Serves one registration socket until it has to be created again.
    private func serve() async -> End {
        let (requests, continuation) = AsyncStream<Registration.Request>.makeStream(bufferingPolicy: .bufferingNewest(16))
        let registration = Registration(driver: driver, endpoint: names.service, requests: continuation)
        let server = KubeletServer(names.registration, [registration], eventLoopGroup: eventLoopGroup, log: log)
        defer { continuation.finish() }
        return await withTaskGroup(of: End.self) { group in
            group.addTask { await serve(server) }
            group.addTask { await handle(requests) }
            group.addTask { await watch(server) }
            group.addTask {
                try? await gracefulShutdown()
                return .shutdown
            }
            let end = await group.next() ?? .shutdown
            await server.stop()
            group.cancelAll()
            return end
        }
    }

    private func serve(_ server: KubeletServer) async -> End {
        do {
            try await server.serve()
            return .shutdown
        } catch { return Task.isCancelled ? .shutdown : .failed("the socket \(names.registration): \(error)") }
    }

    /// Handles calls of the kubelet until it refuses the driver.
    private func handle(_ requests: AsyncStream<Registration.Request>) async -> End {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard (try? await Task.sleep(for: Self.timeout)) != nil else { return }
                log.warning(
                    "the kubelet has not queried this driver yet; check that this folder is in the kubelet's --root-dir",
                    metadata: ["folder": "\(registry)"])
            }
            defer { group.cancelAll() }
            for await request in requests {
                group.cancelAll()
                switch request {
                case .information: log.debug("the kubelet queried this driver")
                case .accepted:
                    log.notice("registered with the kubelet")
                    await observe(.registered)
                case .refused(let reason):
                    // The answer has to reach the kubelet before its connection is cut.
                    try? await Task.sleep(for: .milliseconds(200))
                    return .failed("the kubelet refused the registration: \(reason)")
                }
            }
            return .shutdown
        }
    }

    /// Watches the socket's file, until it is removed or replaced.
    private func watch(_ server: KubeletServer) async -> End {
        guard await server.isListening() else { return await untilCancelled() }
        do {
            let watch = try FolderWatch(registry)
            let own = try Files.stamp(names.registration)
            for await _ in watch.changes {
                guard let now = try? Files.stamp(names.registration) else { return .failed("\(names.registration) was removed") }
                if now != own { return .failed("another program put its own socket at \(names.registration)") }
            }
            return Task.isCancelled ? .shutdown : .failed("the folder \(registry) was removed")
        } catch { return Task.isCancelled ? .shutdown : .failed("\(error)") }
    }

    /// Waits for the cancellation; the task that serves reports why there is no socket.
    private func untilCancelled() async -> End {
        while (try? await Task.sleep(for: .seconds(3600))) != nil {}
        return .shutdown
    }
}
