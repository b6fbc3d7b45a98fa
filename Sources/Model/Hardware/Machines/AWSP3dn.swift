// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// p3dn.24xlarge, as a machine description.
    static let awsP3dn = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "p3dn.24xlarge",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "All devices are on one host bridge, without NUMA nodes. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order. Port rates are those of the instance type.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010800", "path": ["pci0000:00"], "driver": "nvme"},
          {"address": "0000:00:05.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:00"], "driver": "ena", "netdevs": [{"name": "ens5", "uplink": true}]},
          {"address": "0000:00:15.0", "vendor": "1d0f", "device": "efa0", "class": "020000", "path": ["pci0000:00"], "driver": "efa", "rdmaDevices": [{"name": "rdmap0s21", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:00:16.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:17.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:18.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:19.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:1a.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:1b.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:1c.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:1d.0", "vendor": "10de", "device": "1db5", "class": "030200", "path": ["pci0000:00"], "driver": "nvidia"},
          {"address": "0000:00:1e.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:00"], "driver": "nvme"},
          {"address": "0000:00:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:00"], "driver": "nvme"}
         ]}
        """#
}
