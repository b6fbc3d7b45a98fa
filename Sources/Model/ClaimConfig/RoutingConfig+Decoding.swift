// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import ResourceAPI

extension ConfigReader {
    /// Reads the number of a routing table; 255 is the kernel's table of local addresses.
    fileprivate mutating func table(_ json: JSONValue?, at path: String) -> UInt32? {
        let table = integer(json, at: path, in: ConfigLimits.number)
        if table == 255 { problem(path, "255 is the kernel's table of local addresses") }
        // As in DRANET, 0 means "not set".
        return table.flatMap { $0 == 0 ? nil : UInt32($0) }
    }

    mutating func network(_ json: JSONValue?, at path: String) -> IPPrefix? {
        guard let json else { return nil }
        guard let prefix = parsed(json, at: path, as: "a network such as 10.1.0.0/16", { IPPrefix(parsing: $0) }) else { return nil }
        if !prefix.isNetwork { problem(path, "\(prefix) has bits set after its prefix length") }
        return prefix
    }
}

extension RouteSpec {
    init?(_ json: JSONValue, at path: String, _ reader: inout ConfigReader) {
        var route: RouteSpec?
        let fields = ["destination", "gateway", "source", "scope", "table", "metric", "mtu", "onLink"]
        reader.object(json, at: path, fields: fields) { reader, members in
            let destination = reader.network(members["destination"], at: "\(path).destination")
            let gateway = members["gateway"].flatMap { value in
                reader.parsed(value, at: "\(path).gateway", as: "an IP address") { IPAddress(parsing: $0) }
            }
            let source = members["source"].flatMap { value in
                reader.parsed(value, at: "\(path).source", as: "an IP address") { IPAddress(parsing: $0) }
            }
            let scope = reader.integer(members["scope"], at: "\(path).scope", of: ConfigLimits.scopes) ?? 0
            let table = reader.table(members["table"], at: "\(path).table")
            let metric = reader.integer(members["metric"], at: "\(path).metric", in: ConfigLimits.number).map { UInt32($0) }
            let mtu = reader.integer(members["mtu"], at: "\(path).mtu", in: ConfigLimits.mtu).map { UInt32($0) }
            let isOnLink = reader.bool(members["onLink"], at: "\(path).onLink")
            if isOnLink == true, members["gateway"] == nil { reader.problem("\(path).onLink", "is valid only for a route with a gateway") }
            guard let destination else {
                if members["destination"] == nil { reader.problem("\(path).destination", "is missing", .missing) }
                return
            }
            if gateway == nil, members["gateway"] == nil, scope != 253 {
                reader.problem("\(path).gateway", "is missing; a route on the link itself has scope 253", .missing)
            }
            for (name, address) in [("gateway", gateway), ("source", source)] {
                if let address, address.isV6 != destination.address.isV6 {
                    reader.problem("\(path).\(name)", "\(address) and \(destination) have different address families")
                }
            }
            var result = RouteSpec(destination: destination, gateway: gateway, source: source)
            (result.table, result.metric, result.mtu, result.isOnLink) = (table, metric, mtu, isOnLink)
            route = result
        }
        guard let route else { return nil }
        self = route
    }
}

extension Rule {
    init?(_ json: JSONValue, at path: String, _ reader: inout ConfigReader) {
        var rule: Rule?
        reader.object(json, at: path, fields: ["source", "destination", "table", "priority"]) { reader, members in
            let source = reader.network(members["source"], at: "\(path).source")
            let destination = reader.network(members["destination"], at: "\(path).destination")
            let priority = reader.integer(members["priority"], at: "\(path).priority", in: ConfigLimits.priority).map { UInt32($0) }
            let table = reader.table(members["table"], at: "\(path).table")
            if let table, (253...254).contains(table) {
                reader.problem("\(path).table", "the kernel's own rules already use table \(table); use another number")
            }
            if let source, let destination, source.address.isV6 != destination.address.isV6 {
                reader.problem("\(path).destination", "\(destination) and source \(source) have different address families")
            }
            if source == nil, destination == nil, members["source"] == nil, members["destination"] == nil {
                reader.problem(path, "has neither source nor destination: all packets of the pod would use its table")
            }
            guard let table else {
                if case .integer(0)? = members["table"] { reader.problem("\(path).table", "is 0; set the number of a table") }
                if members["table"] == nil { reader.problem("\(path).table", "is missing", .missing) }
                return
            }
            let isV6 = (source ?? destination)?.address.isV6 ?? false
            rule = Rule(source: source, table: table, destination: destination, priority: priority, isV6: isV6)
        }
        guard let rule else { return nil }
        self = rule
    }
}

extension NeighbourSpec {
    init?(_ json: JSONValue, at path: String, _ reader: inout ConfigReader) {
        var neighbor: NeighbourSpec?
        reader.object(json, at: path, fields: ["destination", "hardwareAddr"]) { reader, members in
            let destination = members["destination"].flatMap { value in
                reader.parsed(value, at: "\(path).destination", as: "an IP address") { IPAddress(parsing: $0) }
            }
            let address = members["hardwareAddr"].flatMap { value in
                reader.parsed(
                    value, at: "\(path).hardwareAddr", bytes: ConfigLimits.hardwareAddressBytes, as: "an address such as 02:00:00:00:00:01"
                ) {
                    HardwareAddress(parsing: $0)
                }
            }
            for name in ["destination", "hardwareAddr"] where members[name] == nil {
                reader.problem("\(path).\(name)", "is missing", .missing)
            }
            if let destination, let address { neighbor = NeighbourSpec(address: destination, hardwareAddress: address) }
        }
        guard let neighbor else { return nil }
        self = neighbor
    }
}
