// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// 2 sockets with 16 virtual functions, as a machine description.
    static let intelManyVfs = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "2 sockets with 16 virtual functions",
         "source": "hwloc capture of open-mpi/hwloc (BSD-3-Clause)",
         "note": "No accelerators. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0000:02:00.0", "vendor": "8086", "device": "1521", "class": "020000", "path": ["pci0000:00", "0000:00:01.1"], "numaNode": 0, "netdevs": [{"name": "eth0"}]},
          {"address": "0000:02:00.1", "vendor": "8086", "device": "1521", "class": "020000", "path": ["pci0000:00", "0000:00:01.1"], "numaNode": 0, "netdevs": [{"name": "eth1"}]},
          {"address": "0000:0b:00.0", "vendor": "1137", "device": "0043", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:00.0"], "numaNode": 0, "netdevs": [{"name": "eth4"}], "rdmaDevices": [{"name": "usnic_0", "ports": [{"number": 1}]}]},
          {"address": "0000:0b:00.1", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:00.0"], "numaNode": 0},
          {"address": "0000:0b:00.2", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:00.0"], "numaNode": 0},
          {"address": "0000:0b:00.3", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:00.0"], "numaNode": 0},
          {"address": "0000:0c:00.0", "vendor": "1137", "device": "0043", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:01.0"], "numaNode": 0, "netdevs": [{"name": "eth5"}], "rdmaDevices": [{"name": "usnic_1", "ports": [{"number": 1}]}]},
          {"address": "0000:0c:00.1", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:01.0"], "numaNode": 0},
          {"address": "0000:0c:00.2", "vendor": "1138", "device": "00cf", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:01.0"], "numaNode": 0},
          {"address": "0000:0c:00.3", "vendor": "1138", "device": "00cf", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:01.0"], "numaNode": 0},
          {"address": "0000:0c:00.4", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:00", "0000:00:03.0", "0000:06:00.0", "0000:07:01.0", "0000:09:00.0", "0000:0a:01.0"], "numaNode": 0},
          {"address": "0000:88:00.0", "vendor": "1137", "device": "0043", "class": "020000", "path": ["pci0000:80", "0000:80:03.0", "0000:83:00.0", "0000:84:01.0", "0000:86:00.0", "0000:87:00.0"], "numaNode": 1, "netdevs": [{"name": "eth6"}], "rdmaDevices": [{"name": "usnic_2", "ports": [{"number": 1}]}]},
          {"address": "0000:88:00.1", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:80", "0000:80:03.0", "0000:83:00.0", "0000:84:01.0", "0000:86:00.0", "0000:87:00.0"], "numaNode": 1},
          {"address": "0000:88:00.2", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:80", "0000:80:03.0", "0000:83:00.0", "0000:84:01.0", "0000:86:00.0", "0000:87:00.0"], "numaNode": 1},
          {"address": "0000:88:00.3", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:80", "0000:80:03.0", "0000:83:00.0", "0000:84:01.0", "0000:86:00.0", "0000:87:00.0"], "numaNode": 1},
          {"address": "0000:88:00.4", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:80", "0000:80:03.0", "0000:83:00.0", "0000:84:01.0", "0000:86:00.0", "0000:87:00.0"], "numaNode": 1},
          {"address": "0000:88:00.5", "vendor": "1137", "device": "00cf", "class": "020000", "path": ["pci0000:80", "0000:80:03.0", "0000:83:00.0", "0000:84:01.0", "0000:86:00.0", "0000:87:00.0"], "numaNode": 1},
          {"address": "0000:89:00.0", "vendor": "1137", "device": "0043", "class": "020000", "path": ["pci0000:80", "0000:80:03.0", "0000:83:00.0", "0000:84:01.0", "0000:86:00.0", "0000:87:01.0"], "numaNode": 1, "netdevs": [{"name": "eth7"}]}
         ]}
        """#
}
