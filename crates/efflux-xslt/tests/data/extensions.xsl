<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:exsl="http://exslt.org/common" xmlns:str="http://exslt.org/strings" xmlns:set="http://exslt.org/sets" xmlns:math="http://exslt.org/math" exclude-result-prefixes="exsl str set math">
<xsl:variable name="tree"><i v="1"/><i v="5"/><i v="3"/></xsl:variable>
<xsl:template match="/"><out max="{math:max(exsl:node-set($tree)/i/@v)}"><xsl:for-each select="str:tokenize('a,b;c', ',;')"><t><xsl:value-of select="."/></t></xsl:for-each><xsl:for-each select="set:distinct(//@region)"><r><xsl:value-of select="."/></r></xsl:for-each></out></xsl:template>
</xsl:stylesheet>
