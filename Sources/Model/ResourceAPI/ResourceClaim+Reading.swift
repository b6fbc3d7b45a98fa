// SPDX-License-Identifier: Apache-2.0

/// Decodes claims. A claim contains texts of its author and of other drivers: `spec`, parameters and `status.devices[].data` are skipped,
/// and the time is linear in the size of the text for any content.
extension ResourceClaim {
    /// Decodes a claim from an answer of the API server within ``JSONLimits/object``. `ResourceClient` in module Kubernetes calls it for
    /// every claim that `nearside-node` requests.
    package init(json: [UInt8]) throws(JSONError) {
        var reader = try JSONReader(json, limits: .object)
        self.init(metadata: Metadata())
        try reader.fields { (reader, name) throws(JSONError) in
            switch name {
            case "metadata": metadata = try Metadata(&reader)
            case "status": status = try ResourceClaimStatus(&reader)
            default: _ = try reader.skip()
            }
        }
        try reader.finish()
    }
}

extension ResourceClaimStatus {
    /// Decodes a status without its claim.
    package init(json: [UInt8]) throws(JSONError) {
        var reader = try JSONReader(json, limits: .object)
        try self.init(&reader)
        try reader.finish()
    }

    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(allocation: nil)
        try reader.fields { (reader, name) throws(JSONError) in
            switch name {
            case "allocation":
                var allocation = AllocationResult(devices: DeviceAllocation(results: []))
                try reader.fields { (reader, name) throws(JSONError) in
                    if name == "devices" { allocation.devices = try DeviceAllocation(&reader) } else { _ = try reader.skip() }
                }
                self.allocation = allocation
            case "reservedFor": reservedFor = try reader.list { (reader) throws(JSONError) in try ConsumerReference(&reader) }
            case "devices": devices = try reader.list { (reader) throws(JSONError) in try AllocatedDeviceStatus(&reader) }
            default: _ = try reader.skip()
            }
        }
    }
}

extension JSONReader {
    /// Reads the members of an object that are not null: for the API server, null means absent.
    fileprivate mutating func fields(_ body: (inout JSONReader, String) throws(JSONError) -> Void) throws(JSONError) {
        try members { (reader, name) throws(JSONError) in if !reader.isNull() { try body(&reader, name) } }
    }

    fileprivate mutating func list<Element>(
        _ element: (inout JSONReader) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
        var list: [Element] = []
        try elements { (reader) throws(JSONError) in list.append(try element(&reader)) }
        return list
    }

    fileprivate mutating func strings() throws(JSONError) -> [String] {
        try list { (reader) throws(JSONError) in try reader.string() }
    }
}

extension Metadata {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init()
        try reader.fields { (reader, field) throws(JSONError) in
            switch field {
            case "name": name = try reader.string()
            case "namespace": namespace = try reader.string()
            case "uid": uid = try reader.string()
            case "resourceVersion": resourceVersion = try reader.string()
            case "ownerReferences": ownerReferences = try reader.list { (reader) throws(JSONError) in try OwnerReference(&reader) }
            case "annotations":
                var annotations: [String: String] = [:]
                try reader.fields { (reader, name) throws(JSONError) in annotations[name] = try reader.string() }
                self.annotations = annotations
            default: _ = try reader.skip()
            }
        }
    }
}

extension OwnerReference {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(apiVersion: "", kind: "", name: "", uid: "", controller: nil)
        try reader.fields { (reader, field) throws(JSONError) in
            switch field {
            case "apiVersion": apiVersion = try reader.string()
            case "kind": kind = try reader.string()
            case "name": name = try reader.string()
            case "uid": uid = try reader.string()
            case "controller": controller = try reader.bool()
            default: _ = try reader.skip()
            }
        }
    }
}

extension ConsumerReference {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(resource: "", name: "", uid: "")
        try reader.fields { (reader, field) throws(JSONError) in
            switch field {
            case "apiGroup": apiGroup = try reader.string()
            case "resource": resource = try reader.string()
            case "name": name = try reader.string()
            case "uid": uid = try reader.string()
            default: _ = try reader.skip()
            }
        }
    }
}

extension DeviceAllocation {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(results: [])
        try reader.fields { (reader, name) throws(JSONError) in
            switch name {
            case "results": results = try reader.list { (reader) throws(JSONError) in try AllocatedDevice(&reader) }
            case "config": config = try reader.list { (reader) throws(JSONError) in try AllocationConfig(&reader) }
            default: _ = try reader.skip()
            }
        }
    }
}

extension AllocatedDevice {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(request: "", driver: "", pool: "", device: "")
        try reader.fields { (reader, field) throws(JSONError) in
            switch field {
            case "request": request = try reader.string()
            case "driver": driver = try reader.string()
            case "pool": pool = try reader.string()
            case "device": device = try reader.string()
            case "adminAccess": adminAccess = try reader.bool()
            case "shareID": shareID = try reader.string()
            default: _ = try reader.skip()
            }
        }
    }
}

extension AllocationConfig {
    /// Decodes a configuration. An unknown source counts as the claim, which has fewer rights than a class.
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(source: .fromClaim, opaque: nil)
        try reader.fields { (reader, name) throws(JSONError) in
            switch name {
            case "source": source = Source(rawValue: try reader.string()) ?? .fromClaim
            case "requests": requests = try reader.strings()
            case "opaque": opaque = try OpaqueConfig(&reader)
            default: _ = try reader.skip()
            }
        }
    }
}

extension OpaqueConfig {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(driver: "", parameters: Array("null".utf8))
        // A null is kept; the decoder of the parameters refuses it.
        try reader.members { (reader, name) throws(JSONError) in
            switch name {
            case "driver": driver = try reader.string()
            case "parameters": parameters = Array(try reader.skip())
            default: _ = try reader.skip()
            }
        }
    }
}

extension AllocatedDeviceStatus {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(driver: "", pool: "", device: "")
        try reader.fields { (reader, field) throws(JSONError) in
            switch field {
            case "driver": driver = try reader.string()
            case "pool": pool = try reader.string()
            case "device": device = try reader.string()
            case "shareID": shareID = try reader.string()
            case "conditions": conditions = try reader.list { (reader) throws(JSONError) in try Condition(&reader) }
            case "networkData": networkData = try NetworkDeviceData(&reader)
            default: _ = try reader.skip()
            }
        }
    }
}

extension Condition {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init(type: "", status: "", reason: "", message: "", lastTransitionTime: "")
        try reader.fields { (reader, field) throws(JSONError) in
            switch field {
            case "type": type = try reader.string()
            case "status": status = try reader.string()
            case "reason": reason = try reader.string()
            case "message": message = try reader.string()
            case "lastTransitionTime": lastTransitionTime = try reader.string()
            default: _ = try reader.skip()
            }
        }
    }
}

extension NetworkDeviceData {
    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        self.init()
        try reader.fields { (reader, field) throws(JSONError) in
            switch field {
            case "interfaceName": interfaceName = try reader.string()
            case "ips": ips = try reader.strings()
            case "hardwareAddress": hardwareAddress = try reader.string()
            default: _ = try reader.skip()
            }
        }
    }
}
