// SPDX-License-Identifier: Apache-2.0

import Foundation
import JournalModel
import Linux
import Testbed
import Testing

/// `api/journal.schema.json` compared with the types: equal properties, equally required, and no others accepted.
struct JournalSchemaTests {
    /// An object of a file: its place, and its definition in the schema.
    private struct Place {
        var keys: [AnyHashable]
        var path: String
        var schema: [String: Any]
        var value: [String: Any]
    }

    private static let files = [JournalGolden.plan, JournalGolden.state, JournalGolden.late]

    private func schema() throws -> [String: Any] {
        try JournalGolden.object(try Files.read("\(Testbed.Place.project)/api/journal.schema.json"))
    }

    private func file(_ name: String) throws -> [String: Any] {
        try JournalGolden.object(try Files.read("\(JournalGolden.folder)/landed/\(name).json"))
    }

    private func code(_ name: String, _ object: [String: Any]) throws -> JournalTextError? {
        let bytes = [UInt8](try JournalGolden.text(object).utf8)
        do throws(JournalTextError) { _ = try JournalGolden.rewritten(name, bytes) } catch { return error }
        return nil
    }

    /// The objects of a value whose keys are properties of a type, each with its schema.
    private func places(_ value: Any, _ schema: [String: Any], _ root: [String: Any], _ keys: [AnyHashable], _ path: String) throws
        -> [Place]
    {
        var schema = schema
        while let name = (schema["$ref"] as? String)?.split(separator: "/").last.map(String.init) {
            schema = try #require((root["$defs"] as? [String: [String: Any]])?[name], "\(name) is not defined")
        }
        if let list = value as? [Any] {
            let items = try #require(schema["items"] as? [String: Any], "\(path) is not a list in the schema")
            return try list.enumerated().flatMap { try places($1, items, root, keys + [$0], "\(path)[\($0)]") }
        }
        guard let object = value as? [String: Any] else { return [] }
        if schema["additionalProperties"] is [String: Any] { return [] }
        let properties = try #require(schema["properties"] as? [String: [String: Any]], "\(path) is not an object in the schema")
        return try [Place(keys: keys, path: path, schema: schema, value: object)]
            + object.sorted { $0.key < $1.key }.flatMap { key, value in
                let path = path.isEmpty ? key : "\(path).\(key)"
                return try places(value, try #require(properties[key], "\(path) is not in the schema"), root, keys + [key], path)
            }
    }

    private func places(_ name: String) throws -> [Place] {
        let root = try schema()
        let kind = String(name.prefix { $0 != "-" })
        return try places(file(name), ["$ref": "#/$defs/\(kind)"], root, [], "")
    }

    /// The value with the object at the keys replaced.
    private func replacing(_ value: Any, _ keys: ArraySlice<AnyHashable>, _ new: [String: Any]) -> Any {
        guard let key = keys.first else { return new }
        if var list = value as? [Any], let index = key as? Int {
            list[index] = replacing(list[index], keys.dropFirst(), new)
            return list
        }
        guard var object = value as? [String: Any], let name = key as? String, let part = object[name] else { return value }
        object[name] = replacing(part, keys.dropFirst(), new)
        return object
    }

    private func replacing(_ name: String, _ place: Place, _ new: [String: Any]) throws -> [String: Any] {
        try #require(replacing(try file(name), place.keys[...], new) as? [String: Any])
    }

    /// All properties of the types of a value, and those with a value.
    private func collect(_ value: Any, _ all: inout Set<String>, _ present: inout Set<String>) {
        let mirror = Mirror(reflecting: value)
        for child in mirror.children {
            let isOptional = Mirror(reflecting: child.value).displayStyle == .optional
            let isNil = isOptional && Mirror(reflecting: child.value).children.isEmpty
            if mirror.displayStyle == .struct, let label = child.label {
                let name = "\(type(of: value)).\(label)"
                all.insert(name)
                if !isNil { present.insert(name) }
            }
            if !isNil { collect(child.value, &all, &present) }
        }
    }

    @Test
    func `the newest golden files have every property of every type`() throws {
        var (all, present): (Set<String>, Set<String>) = ([], [])
        let bytes = { (name: String) in try Files.read("\(JournalGolden.folder)/landed/\(name).json") }
        collect(try JournalDocument<ClaimPlan>.decode(try bytes(JournalGolden.plan), uid: JournalSample.claim), &all, &present)
        collect(try JournalDocument<ClaimState>.decode(try bytes(JournalGolden.state), uid: JournalSample.claim), &all, &present)
        collect(try JournalDocument<LatePod>.decode(try bytes(JournalGolden.late), uid: JournalSample.pod), &all, &present)
        #expect(all.subtracting(present).sorted() == [])
        #expect(all.count > 150)
    }

    @Test
    func `every encoded property is in the schema, and every property of the schema is encoded`() throws {
        let root = try schema()
        var written: Set<String> = []
        // Objects of one definition are distinguished by the names of their properties.
        for name in Self.files {
            for place in try places(name) {
                let properties = try #require(place.schema["properties"] as? [String: Any])
                written.formUnion(place.value.keys.map { "\(properties.keys.sorted()).\($0)" })
            }
        }
        var defined: Set<String> = []
        func define(_ schema: Any) {
            if let list = schema as? [Any] { for part in list { define(part) } }
            guard let schema = schema as? [String: Any] else { return }
            if let properties = schema["properties"] as? [String: Any] {
                defined.formUnion(properties.keys.map { "\(properties.keys.sorted()).\($0)" })
            }
            for part in schema.values { define(part) }
        }
        define(root)
        #expect(defined.subtracting(written).sorted() == [])
    }

    @Test(arguments: files)
    func `a property is required in the schema if the program refuses a file without it`(name: String) throws {
        for place in try places(name) {
            let required = Set(place.schema["required"] as? [String] ?? [])
            for key in place.value.keys.sorted() {
                var object = place.value
                object[key] = nil
                let error = try code(name, try replacing(name, place, object))
                let path = place.path.isEmpty ? key : "\(place.path).\(key)"
                #expect((error?.code == .missingKey) == required.contains(key), "\(path): \(error?.description ?? "read")")
                if required.contains(key) { #expect(error?.path == path) }
            }
        }
    }

    @Test(arguments: files)
    func `the program and the schema refuse an unknown key of any object, the program with its path`(name: String) throws {
        for place in try places(name) {
            #expect(place.schema["additionalProperties"] as? Bool == false, "\(place.path)")
            for key in ["Aaa", "zzz"] {
                var object = place.value
                object[key] = 1
                let error = try code(name, try replacing(name, place, object))
                #expect(error?.code == .unknownKey && error?.path == (place.path.isEmpty ? key : "\(place.path).\(key)"))
            }
        }
    }

    private static let hasValidator = (try? ChildProcess.run("/usr/bin/env", ["python3", "-c", "import jsonschema"]).status) == 0

    @Test(.enabled(if: hasValidator, "needs python3-jsonschema"))
    func `a JSON schema validator accepts the program's files, and refuses files with a missing or additional key`() throws {
        let scratch = try ScratchFolder()
        var documents: [[String: Any]] = []
        for file in LandedFile.all {
            // The schema is that of version 2.
            let object = try JournalGolden.object(try file.bytes())
            guard object["version"] as? Int == 2, case .read = file.outcome else { continue }
            documents.append(["valid": true, "name": file.name, "file": object])
        }
        for name in Self.files {
            for place in try places(name) {
                var object = place.value
                object["zzz"] = 1
                documents.append(["valid": false, "name": "\(place.path).zzz", "file": try replacing(name, place, object)])
                for key in place.value.keys {
                    object = place.value
                    object[key] = nil
                    let isRequired = (place.schema["required"] as? [String] ?? []).contains(key)
                    documents.append(["valid": !isRequired, "name": "\(place.path).\(key)", "file": try replacing(name, place, object)])
                    // No property of any type can be null.
                    object[key] = NSNull()
                    documents.append(["valid": false, "name": "\(place.path).\(key) null", "file": try replacing(name, place, object)])
                }
            }
        }
        try Files.write(scratch("documents"), [UInt8](try JournalGolden.text(["all": documents]).utf8))
        let script = """
            import json, jsonschema, sys
            schema = json.load(open(sys.argv[1]))
            jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator(schema)
            documents = json.load(open(sys.argv[2]))["all"]
            wrong = [d["name"] for d in documents if validator.is_valid(d["file"]) != d["valid"]]
            print(len(documents), wrong)
            """
        let result = try ChildProcess.run(
            "/usr/bin/env", ["python3", "-c", script, "\(Testbed.Place.project)/api/journal.schema.json", scratch("documents")])
        #expect(result.output == "\(documents.count) []\n", "\(result.output.suffix(4000))")
        #expect(documents.count > 400)
    }
}
