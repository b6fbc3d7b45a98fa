// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import KubeletAPI
import Linux
package import Logging
package import NIOPosix
import ServiceLifecycle
import Synchronization

/// The two sockets on which the kubelet finds and calls us.
///
/// The one that serves claims is there before the one that makes us known, and both files are gone
/// when this ends: the kubelet would go on calling a socket that is left behind.
package struct KubeletPlugin: Service {
    package struct Options: Sendable {
        package var driver: String
        /// Where the kubelet looks for plugins: `/var/lib/kubelet/plugins_registry`.
        package var registry: String
        /// A folder of our own: `/var/lib/kubelet/plugins/DRIVER`. The kubelet sees it under the same path.
        package var data: String

        package init(driver: String, registry: String, data: String) {
            self.driver = driver
            self.registry = registry
            self.data = data
        }

        package var registrationSocket: String { "\(registry)/\(driver)-reg.sock" }
        package var serviceSocket: String { "\(data)/dra.sock" }
    }

    /// A place for a socket that cannot be used.
    package struct StartError: Error, CustomStringConvertible {
        package var description: String
    }

    private let options: Options
    private let handler: any ClaimHandler
    private let eventLoopGroup: MultiThreadedEventLoopGroup
    private let log: Logger

    /// Longest path of a socket: the kernel's field has 108 bytes with the final zero.
    private static let pathBytes = 107

    package init(
        _ options: Options, handler: any ClaimHandler, eventLoopGroup: MultiThreadedEventLoopGroup, log: Logger
    ) throws {
        for path in [options.registrationSocket, options.serviceSocket] where path.utf8.count > Self.pathBytes {
            throw StartError(
                description:
                    "the socket path \(path) has \(path.utf8.count) bytes; \(Self.pathBytes) fit: use shorter folders or a shorter driver name"
            )
        }
        self.options = options
        self.handler = handler
        self.eventLoopGroup = eventLoopGroup
        self.log = log
    }

    package func run() async throws {
        try Files.makeFolder(options.data, mode: 0o750)
        // Binding steals a socket that another instance serves: the lock comes first.
        let lock = try Descriptor.open("\(options.data)/serve.lock", flags: 0o102, mode: 0o600)
        try await acquire(lock)
        defer {
            for socket in [options.registrationSocket, options.serviceSocket] {
                do throws(SystemError) { try Files.remove(socket) } catch {
                    log.error("socket left behind", metadata: ["error": "\(error)"])
                }
            }
            withExtendedLifetime(lock) {}
        }
        let service = server(
            options.serviceSocket, [PluginV1(handler: handler), PluginV1Beta1(handler: handler)])
        let registration = server(
            options.registrationSocket,
            [Registration(driver: options.driver, endpoint: options.serviceSocket, log: log)])
        try await withThrowingTaskGroup(of: Ending.self) { group in
            group.addTask {
                try await service.serve()
                return .server
            }
            try await waitForSocket(options.serviceSocket)
            group.addTask {
                try await registration.serve()
                return .server
            }
            log.notice("serving the kubelet", metadata: ["socket": "\(options.serviceSocket)"])
            group.addTask {
                try await gracefulShutdown()
                registration.beginGracefulShutdown()
                service.beginGracefulShutdown()
                try await Task.sleep(for: Self.grace)
                return .grace
            }
            // The kubelet keeps its connection open for ever: after the grace it is cut.
            var servers = 2
            while servers > 0, let ending = try await group.next() {
                if ending == .grace { break }
                servers -= 1
            }
            group.cancelAll()
        }
    }

    private enum Ending {
        case server
        case grace
    }

    /// How long calls in flight may take at shutdown.
    private static let grace = Duration.milliseconds(300)

    private func acquire(_ lock: Descriptor) async throws {
        var isWaiting = false
        while try !lock.tryLock() {
            if !isWaiting { log.notice("another instance serves this driver; waiting for it to end") }
            isWaiting = true
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func server(
        _ path: String, _ services: [any RegistrableRPCService]
    ) -> GRPCServer<HTTP2ServerTransport.Posix> {
        var config = HTTP2ServerTransport.Posix.Config.defaults
        // The kubelet keeps its connection for ever and may ping it as it likes.
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(1)
        config.rpc.maxRequestPayloadSize = 4 << 20
        return GRPCServer(
            transport: .init(
                address: .unixDomainSocket(path: path), transportSecurity: .plaintext, config: config,
                eventLoopGroup: eventLoopGroup),
            services: services)
    }

    private func waitForSocket(_ path: String) async throws {
        // The server says nothing when it listens, but its file appears.
        while (try? UnixSocket.connect(path)) == nil { try await Task.sleep(for: .milliseconds(1)) }
    }
}
