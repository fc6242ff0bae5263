/** Services and protocols by name, from the registries of the IANA; the transports of a service are those that hosts list. */

/** Name, port, and `t` for TCP, `u` for UDP, `b` for both. */
const SERVICES =
  'tcpmux 1 t,echo 7 b,discard 9 b,systat 11 t,daytime 13 b,netstat 15 t,qotd 17 t,chargen 19 b' +
  ',ftp-data 20 t,ftp 21 t,ssh 22 t,telnet 23 t,smtp 25 t,mail 25 t,time 37 b,whois 43 t,tacacs 49 b' +
  ',domain 53 b,bootps 67 u,bootpc 68 u,tftp 69 u,gopher 70 t,finger 79 t,http 80 t,www 80 t' +
  ',kerberos 88 b,iso-tsap 102 t,pop3 110 t,pop-3 110 t,sunrpc 111 b,portmapper 111 b,auth 113 t' +
  ',nntp 119 t,ntp 123 u,epmap 135 t,loc-srv 135 t,netbios-ns 137 u,netbios-dgm 138 u,netbios-ssn 139 t' +
  ',imap2 143 t,imap 143 t,snmp 161 b,snmp-trap 162 b,snmptrap 162 b,xdmcp 177 u,bgp 179 t,smux 199 t' +
  ',ipx 213 u,ptp-event 319 u,ptp-general 320 u,ldap 389 b,svrloc 427 b,https 443 b,snpp 444 t' +
  ',microsoft-ds 445 t,kpasswd 464 b,submissions 465 t,smtps 465 t,isakmp 500 u,rtsp 554 b' +
  ',asf-rmcp 623 u,ipp 631 t,ldp 646 b,exec 512 t,biff 512 u,login 513 t,who 513 u,shell 514 t' +
  ',syslog 514 b,printer 515 t,talk 517 u,ntalk 518 u,route 520 u,router 520 u,uucp 540 t,klogin 543 t' +
  ',kshell 544 t,dhcpv6-client 546 u,dhcpv6-server 547 u,afpovertcp 548 t,nntps 563 t,submission 587 t' +
  ',ldaps 636 b,kerberos-adm 749 t,domain-s 853 b,rsync 873 t,ftps-data 989 t,ftps 990 t,telnets 992 t' +
  ',imaps 993 t,pop3s 995 t,socks 1080 t,openvpn 1194 b,rmiregistry 1099 t,ms-sql-s 1433 t' +
  ',ms-sql-m 1434 u,l2f 1701 u,l2tp 1701 u,radius 1812 b,radius-acct 1813 b,cisco-sccp 2000 t,nfs 2049 b' +
  ',cvspserver 2401 t,dict 2628 t,gpsd 2947 t,isns 3205 b,iscsi-target 3260 t,mysql 3306 t' +
  ',ms-wbt-server 3389 t,distcc 3632 t,daap 3689 t,svn 3690 t,sieve 4190 t,epmd 4369 t,ntske 4460 t' +
  ',ipsec-nat-t 4500 u,iax 4569 u,sip 5060 b,sip-tls 5061 b,xmpp-client 5222 t,xmpp-server 5269 t' +
  ',mdns 5353 u,postgresql 5432 t,postgres 5432 t,rplay 5555 u,amqps 5671 t,amqp 5672 t,x11 6000 t' +
  ',redis 6379 t,babel 6696 u,ircs-u 6697 t,http-alt 8080 t,webcache 8080 t,syslog-tls 6514 t' +
  ',ircd 6667 t,git 9418 t,nbd 10809 t,zabbix-agent 10050 t,zabbix-trapper 10051 t,hkp 11371 t' +
  ',munin 4949 t,nrpe 5666 t,dicom 11112 t,afs3-fileserver 7000 u,zebra 2601 t,ripd 2602 t,ripngd 2603 t' +
  ',ospfd 2604 t,bgpd 2605 t';

/** Name, number, other names. Capital letters are another name of each. */
const PROTOCOLS =
  'ip 0,hopopt 0,icmp 1,igmp 2,ggp 3,ipencap 4 IP-ENCAP,st 5,tcp 6,egp 8,igp 9,pup 12,udp 17,hmp 20' +
  ',xns-idp 22,rdp 27,iso-tp4 29,dccp 33,xtp 36,ddp 37,idpr-cmtp 38,ipv6 41 IPv6' +
  ',ipv6-route 43 IPv6-Route,ipv6-frag 44 IPv6-Frag,idrp 45,rsvp 46,gre 47,esp 50 IPSEC-ESP' +
  ',ah 51 IPSEC-AH,skip 57,ipv6-icmp 58 IPv6-ICMP,ipv6-nonxt 59 IPv6-NoNxt,ipv6-opts 60 IPv6-Opts' +
  ',rspf 73 CPHB,vmtp 81,eigrp 88,ospf 89 OSPFIGP,ax.25 93,ipip 94,etherip 97,encap 98,pim 103' +
  ',ipcomp 108,vrrp 112,l2tp 115,isis 124,sctp 132,fc 133,mobility-header 135 Mobility-Header' +
  ',udplite 136 UDPLite,mpls-in-ip 137 MPLS-in-IP,manet 138,hip 139,shim6 140 Shim6,wesp 141,rohc 142' +
  ',ethernet 143 Ethernet';

/** Ports of a service: of each transport that it has. */
export interface Service {
  readonly tcp?: number;
  readonly udp?: number;
}

function service(port: number, transports: string): Service {
  return { ...(transports === 'u' ? {} : { tcp: port }), ...(transports === 't' ? {} : { udp: port }) };
}

/** Services by name. */
export const SERVICE_TABLE: ReadonlyMap<string, Service> = new Map(
  SERVICES.split(',').map((row) => {
    const [name = '', port, transports = ''] = row.split(' ');
    return [name, service(Number(port), transports)];
  }),
);

/** Numbers of IP protocols by name. */
export const PROTOCOL_TABLE: ReadonlyMap<string, number> = new Map(
  PROTOCOLS.split(',').flatMap((row) => {
    const [name = '', number, ...others] = row.split(' ');
    return [name, name.toUpperCase(), ...others].map((one) => [one, Number(number)] as const);
  }),
);
