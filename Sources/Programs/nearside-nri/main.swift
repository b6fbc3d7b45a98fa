// SPDX-License-Identifier: Apache-2.0

import CommandOptions
import Attachment
import Glibc
import Linux
import Logging
import NetworkModel
import Primitives

/// The command line of `nearside-nri`.
struct NearsideNRI {
    var journal = "/run/nearside"
    var states = "/run/nearside-nri"
    var nriSocket = "/var/run/nri/nri.sock"
    var check: String?
    var withoutNri = false
    var sysctls = "/proc/sys"
    var name = "nearside"
    var index = "10"
    var installGate: String?
    var driver = "dra.nearside"
    var cdi = "/var/run/cdi"
    var hostRoot = "/"
    var virtualFunctions: [String] = []
    var sysfs = "/sys"
    var gate = "/var/lib/nearside/nearside-gate"
    var dhcpUser: UInt32 = LeaseClientOptions().user
    var clusterNetwork: [String] = []
    var nodeAddresses = ""
    var apiServer: String?
    var logLevel = "info"

    static var options: CommandOptions<Self> {
        CommandOptions(
            program: "nearside-nri",
            abstract: "Moves the interfaces of claims into pods and back, as a plugin of the container runtime.",
            discussion: """
                Needs NET_ADMIN and SYS_ADMIN. Holds no credentials, and talks only to the runtime and the gate. Example: nearside-nri --journal /run/nearside --nri-socket /var/run/nri/nri.sock
                """,
            options: [
                .init("journal", \.journal, "Folder with the plans of nearside-node, which this program only reads."),
                .init("states", \.states, "Folder for the states of this program and its socket."),
                .init("nri-socket", \.nriSocket, "The runtime's NRI socket."),
                .init("check", \.check, "Query the running instance, and print the answer: alive or ready."),
                .init(
                    flag: "without-nri", \.withoutNri,
                    "Run without NRI: only containers that reference a claim get its devices, through nearside-gate."),
                .init("sysctls", \.sysctls, "Path of the sysctl files in this container."),
                .init("name", \.name, "Name by which this plugin registers with the runtime."),
                .init("index", \.index, "Position in the runtime's order of plugins, two digits."),
                .init(
                    "install-gate", \.installGate,
                    "Install nearside-gate from this program's folder into this folder of the host, test it, and exit."),
                .init("driver", \.driver, "Name of the driver."),
                .init("cdi", \.cdi, "Folder for CDI specifications."),
                .init("host-root", \.hostRoot, "Folder with the host's sys and proc, for checks of device nodes."),
                .init(
                    "virtual-functions", \.virtualFunctions,
                    "Desired number of virtual functions, as INTERFACE=COUNT or ADDRESS=COUNT with * for any characters; may be repeated."
                ),
                .init("sysfs", \.sysfs, "Mount point of sysfs; writable, so that virtual functions can be created."),
                .init("gate", \.gate, "Path of nearside-gate on the host, for the runtime; empty to disable the gate."),
                .init("dhcp-user", \.dhcpUser, "Numeric user and group of DHCP clients, which run without capabilities."),
                .init(
                    "cluster-network", \.clusterNetwork,
                    "A network of the cluster (pods, services, nodes): DHCP leases that overlap it are rejected; may be repeated."
                ),
                .init(
                    "node-addresses", \.nodeAddresses, "Addresses of this node, separated by commas: their interfaces are never attached."),
                .init(
                    "api-server", \.apiServer,
                    "Address of the API server: the host's interface towards it is never attached. Default in a pod: KUBERNETES_SERVICE_HOST."
                ),
                .init("log-level", \.logLevel, "Log level: trace, debug, info, notice, warning, error or critical."),
            ])
    }

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw UsageError("--log-level: \"\(logLevel)\" is not a level")
        }
        guard index.utf8.count == 2, index.utf8.allSatisfy(\.isASCIIDigit) else {
            throw UsageError("--index must be two digits such as 10, not \"\(index)\"")
        }
        _ = try functionRules()
        if let check, !DaemonCheck.levels.contains(check) { throw UsageError("--check must be alive or ready, not \"\(check)\"") }
        _ = try clusterNetworks()
        _ = try addresses()
        guard dhcpUser != 0 else { throw UsageError("--dhcp-user must not be root") }
    }

    private func functionRules() throws -> [FunctionRule] {
        try virtualFunctions.map { text in
            do throws(InputError) { return try FunctionRule(parsing: text) } catch {
                throw UsageError("--virtual-functions: \(error)")
            }
        }
    }

    /// The networks of the command line, and the part of the service network with manually assigned addresses: the API server has the
    /// first address, and addresses such as that of DNS are among the first 256 (KEP-3070).
    private func clusterNetworks() throws -> [IPPrefix] {
        let server = Self.apiServerOfPod
        return try clusterNetwork.map { text in
            guard let prefix = IPPrefix(parsing: text), prefix.isNetwork else {
                throw UsageError("--cluster-network must be a network such as 10.96.0.0/12, not \"\(text)\"")
            }
            return prefix
        } + (server.map { [IPPrefix(address: $0, length: $0.bitCount - 8).network] } ?? [])
    }

    /// The address at which pods reach the API server; nil outside of a pod.
    private static var apiServerOfPod: IPAddress? {
        Environment.value("KUBERNETES_SERVICE_HOST").flatMap { IPAddress(parsing: $0) }
    }

    private func addresses() throws -> (node: [IPAddress], apiServer: [IPAddress]) {
        func parse(_ texts: [Substring], _ option: String) throws -> [IPAddress] {
            try texts.map { text in
                guard let address = IPAddress(parsing: String(text)) else {
                    throw UsageError("\(option) must be an IP address, not \"\(text)\"")
                }
                return address
            }
        }
        let servers = try apiServer.map { try parse([$0[...]], "--api-server") } ?? Self.apiServerOfPod.map { [$0] } ?? []
        return (try parse(nodeAddresses.split(separator: ","), "--node-addresses"), servers)
    }

    func run() throws -> Int32 {
        var log = Logger(label: "nearside-nri", factory: { StreamLogHandler.standardError(label: $0) })
        log.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        signal(SIGPIPE, SIG_IGN)
        if let check { return answer(check) }
        if let installGate {
            try GateInstallation.install(in: installGate)
            return EXIT_SUCCESS
        }
        let daemon = try AttachmentDaemon(try daemonOptions(), log: log)
        // By now the daemon has mounted its own sysfs, and it needs no other mount.
        do throws(SystemError) { try SystemCallFilter.host.install() } catch {
            log.warning("seccomp filter not installed", metadata: ["error": "\(error)"])
        }
        try daemon.run()
        return EXIT_SUCCESS
    }

    private func daemonOptions() throws -> DaemonOptions {
        var options = DaemonOptions(
            journal: journal, states: states,
            runtime: .init(
                socket: withoutNri ? nil : nriSocket, pluginName: name, pluginIndex: index, gate: gate.isEmpty ? nil : gate))
        (options.host.sysctls, options.host.sysfs, options.host.root) = (sysctls, sysfs, hostRoot)
        (options.host.nodeAddresses, options.host.apiServers) = try addresses()
        (options.specifications.driver, options.specifications.folder) = (driver, cdi)
        options.leases.user = dhcpUser
        options.leases.clusterNetworks = try clusterNetworks()
        options.functionRules = try functionRules()
        return options
    }

    /// Prints the answer to a probe.
    ///
    /// - Returns: the exit status; failure if the daemon has not reached the level.
    private func answer(_ check: String) -> Int32 {
        if let problem = DaemonCheck.problem(check, journal: journal, states: states) {
            print("not \(check): \(problem)")
            return EXIT_FAILURE
        }
        print(check)
        return EXIT_SUCCESS
    }
}

if LeaseClientProcess.isMeant { exit(LeaseClientProcess.run()) }
do {
    guard let command = try NearsideNRI.options.parse(CommandLine.arguments.dropFirst(), into: NearsideNRI()) else {
        print(NearsideNRI.options.help(NearsideNRI()), terminator: "")
        exit(EXIT_SUCCESS)
    }
    try command.validate()
    exit(try command.run())
} catch let error as UsageError {
    StandardStream.error.write(error.text(program: NearsideNRI.options.program))
    exit(UsageError.exitStatus)
} catch {
    StandardStream.error.write("Error: \(error)\n")
    exit(EXIT_FAILURE)
}
